package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.BusMaster;
import io.twostep.machine.linux.vfiouser.CopyDevice;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** When the model gets its turns. */
class ModelRunnerTest {
  private final CopyDevice device = new CopyDevice();
  private long now;
  private final ModelRunner runner = new ModelRunner(device, () -> now);

  /** Reaches no memory. */
  private static final class NoBus implements BusMaster {
    @Override
    public int read(long dmaAddress, MemorySegment target, long offset, long length) {
      return NOT_MASTER;
    }

    @Override
    public int write(long dmaAddress, MemorySegment source, long offset, long length) {
      return NOT_MASTER;
    }
  }

  @Test
  void alarmThatIsDueIsNotKeptBackByOneThatIsPlannedForNever() {
    device.connect(new NoBus(), runner);
    runner.wakeAfter(10);
    now = 20;
    runner.wakeAfter(Long.MAX_VALUE);
    assertThat(runner.untilNext()).isZero();
  }
}
