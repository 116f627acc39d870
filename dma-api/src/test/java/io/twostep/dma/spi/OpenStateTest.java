package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.fake.FakeMachine;
import org.junit.jupiter.api.Test;

class OpenStateTest {
  private final OpenState open = new OpenState();

  private record Layer(String name) implements LayerBackend {
    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return next;
    }

    @Override
    public void close() {}
  }

  private record Terminal(String name) implements TerminalBackend {
    @Override
    public DmaOps attach(AttachContext context) {
      throw new AssertionError("only its name is asked for");
    }

    @Override
    public void close() {}
  }

  @Test
  void whatIsClosedRefusesEveryDeviceByNameAndForGood() {
    FakeMachine machine = new FakeMachine();
    DeviceSlot slot = machine.addSlot("0000:01:00.0", true);
    AttachContext context = new AttachContext(machine, slot, machine.addressSpaceFor(slot), DeviceLimits.UNLIMITED, -1);
    open.requireOpen(new Terminal("aperture"), context);
    open.close();
    open.close();
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> open.requireOpen(new Terminal("aperture"), context))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("0000:01:00.0: backend aperture is closed; make a new one");
      assertThatThrownBy(() -> open.requireOpen(new Layer("quota"), context))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("0000:01:00.0: layer quota is closed; make a new one");
    }
  }
}
