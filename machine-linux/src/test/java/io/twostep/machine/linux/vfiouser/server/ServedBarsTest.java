package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where the table of vectors goes among the BARs of a model. */
class ServedBarsTest {
  private static final BarSpec REGISTERS = new BarSpec(Bar.Kind.REGISTERS, 4096);
  private static final BarSpec WIDE = new BarSpec(Bar.Kind.MEMORY, 1L << 32);

  /** A function with a vector that does nothing. */
  private record Function(List<BarSpec> bars) implements DeviceModel {
    @Override
    public Identity identity() {
      return new Identity(1, 2, 3, 4);
    }

    @Override
    public int vectors() {
      return 1;
    }

    @Override
    public void connect(BusMaster bus, Signals signals) {}

    @Override
    public long read(int bar, long offset, int width) {
      return 0;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {}

    @Override
    public void reset() {}

    @Override
    public boolean step(int budget) {
      return false;
    }

    @Override
    public void close() {}
  }

  private static ServedBars served(BarSpec... bars) {
    return new ServedBars(new Function(List.of(bars)));
  }

  @Test
  void tableTakesTheLastIndexThatIsFreeAndNoHalfOfA64BitBar() {
    assertThat(served(REGISTERS).tableBar()).isEqualTo(5);
    assertThat(served(WIDE, BarSpec.NONE, REGISTERS, REGISTERS, REGISTERS, REGISTERS).tableBar()).isEqualTo(-1);
    assertThat(served(REGISTERS, BarSpec.NONE, REGISTERS, REGISTERS, WIDE).tableBar()).isEqualTo(1);
  }

  @Test
  void a64BitBarWhoseSecondHalfIsTakenIsRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> served(REGISTERS, WIDE, REGISTERS)).withMessageContaining("BAR 1");
    assertThatIllegalArgumentException().isThrownBy(() -> served(REGISTERS, REGISTERS, REGISTERS, REGISTERS, REGISTERS, WIDE)).withMessageContaining("BAR 5");
  }
}
