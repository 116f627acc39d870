package io.twostep.examples.copy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ForwardingSlot;
import io.twostep.tck.ForwardingTimers;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of the memory when the engine does not answer. */
class SilentEngineTest {
  private final ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
  private final MemoryBlock original = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
  private final MemoryBlock copy = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
  private boolean stuck;
  private @Nullable IllegalStateException failing;

  @AfterEach
  void close() {
    machine.close();
  }

  /** A driver whose device cannot be taken off the bus while {@link #stuck}, and whose pauses throw {@link #failing}. */
  private CopyDriver driver(Translation translation) {
    DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new CopyEngine(), SlotOptions.DEFAULT.withTranslation(translation));
    DeviceSlot seen =
        new ForwardingSlot(slot) {
          @Override
          public void busMaster(boolean enabled) {
            if (stuck && !enabled) {
              throw new DmaMappingException(Reason.DETACHED, address() + ": its configuration space answers nothing");
            }
            super.busMaster(enabled);
          }
        };
    Timers pausing =
        new ForwardingTimers(machine.timers()) {
          @Override
          public void pause(int times) {
            if (failing != null) {
              throw failing;
            }
            super.pause(times);
          }
        };
    DmaStack stack = DmaStack.of(translation == Translation.NONE ? new DirectBackend() : new IommuBackend(IommuConfig.defaults()));
    return new CopyDriver(
        new DriverContext() {
          @Override
          public DeviceSlot slot() {
            return seen;
          }

          @Override
          public Machine machine() {
            return machine;
          }

          @Override
          public Timers timers() {
            return pausing;
          }

          @Override
          public Settings settings() {
            return Settings.defaults(new CopyDriverPlugin());
          }

          @Override
          public DmaMapper attach(DeviceLimits limits) {
            return stack.attach(machine, slot, limits);
          }
        });
  }

  private void copySilently(CopyDriver driver) {
    machine.failNth().arm(FailNth.Kind.INTERRUPT, 1);
    driver.copy(original, copy);
  }

  @Test
  void whatWasStoppedGivesTheMemoryBackAndCopiesAgain() {
    try (CopyDriver driver = driver(Translation.NONE)) {
      assertThatThrownBy(() -> copySilently(driver)).isInstanceOf(IllegalStateException.class).hasMessageContaining("was reset");
      original.segment().fill((byte) 7);
      driver.copy(original, copy);
      assertThat(copy.segment().mismatch(original.segment())).isEqualTo(-1);
    }
    original.close();
    copy.close();
  }

  @Test
  void whatIsAtWorkWhenAPauseFailsIsStoppedBeforeTheMemoryGoesBack() {
    try (CopyDriver driver = driver(Translation.NONE)) {
      original.segment().fill((byte) 7);
      failing = new IllegalStateException("0000:02:00.0: its model failed");
      assertThatThrownBy(() -> driver.copy(original, copy)).isSameAs(failing);
      failing = null;
      machine.timers().pause();
      assertThat(copy.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
      driver.copy(original, copy);
      assertThat(copy.segment().mismatch(original.segment())).isEqualTo(-1);
    }
    original.close();
    copy.close();
  }

  @Test
  void whatCannotBeStoppedKeepsTheMemoryWhereNothingTranslates() {
    CopyDriver driver = driver(Translation.NONE);
    stuck = true;
    assertThatThrownBy(() -> copySilently(driver)).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED));
    assertThatThrownBy(() -> driver.copy(original, copy)).isInstanceOf(IllegalStateException.class).hasMessageContaining("reset or remove");
    assertThatThrownBy(driver::close)
        .isInstanceOf(DmaMappingException.class)
        .satisfies(e -> assertThat(e.getSuppressed()).singleElement().asString().contains("so its memory is kept", "QUARANTINED"));
    assertThatThrownBy(original::close).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(copy::close).isInstanceOf(IllegalStateException.class);
    stuck = false;
    driver.close();
    original.close();
    copy.close();
  }

  @Test
  void whatCannotBeStoppedMeetsFaultsWhereItIsTranslated() {
    CopyDriver driver = driver(Translation.TRANSLATED);
    stuck = true;
    assertThatThrownBy(() -> copySilently(driver)).isInstanceOf(DmaMappingException.class);
    original.close();
    copy.close();
    assertThatThrownBy(driver::close).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED));
  }
}
