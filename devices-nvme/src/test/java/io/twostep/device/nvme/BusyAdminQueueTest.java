package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.FaultPlan.Kind;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.spi.Timers;
import io.twostep.tck.ForwardingTimers;
import org.junit.jupiter.api.Test;

/** A thread that polls while another waits for an admin command, which may take a minute. */
class BusyAdminQueueTest {
  private static final long SECOND = 1_000_000_000L;

  /** The machine's clock, which a test puts forward, and which tells of the next pause. */
  private static final class HookedTimers extends ForwardingTimers {
    private long ahead;
    private Runnable onPause = () -> {};

    HookedTimers(Timers real) {
      super(real);
    }

    @Override
    public long nanoTime() {
      return super.nanoTime() + ahead;
    }

    @Override
    public void pause(int times) {
      Runnable hook = onPause;
      onPause = () -> {};
      hook.run();
      super.pause(times);
    }
  }

  private static void pollOften(NvmeQueue queue) {
    for (int i = 0; i < 200; i++) {
      queue.poll();
    }
  }

  @Test
  void queueWithALateCommandDoesNotWaitForTheAdminCommandOfAnotherThread() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      HookedTimers timers = new HookedTimers(rig.machine.timers());
      try (NvmeController controller = NvmeController.open(rig.context(rig.slot, timers), NvmeConfig.DEFAULT.withTimeouts(SECOND, 60 * SECOND))) {
        NvmeQueue queue = controller.queues().getFirst();
        rig.model.faults().onCommand(FaultPlan.ANY_IO_QUEUE, 1, Kind.HOLD);
        NvmeBio bio = new NvmeBio().read(controller.namespace(1), 8, 8, rig.memory(4096).ranges());
        controller.namespace(1).submit(bio);
        pollOften(queue);
        rig.model.faults().onCommand(0, 1, Kind.DELAY, SECOND);
        Thread poller = new Thread(() -> pollOften(queue));
        timers.onPause =
            () -> {
              // The thread that pauses is inside the admin queue.
              timers.ahead = 2 * SECOND;
              poller.start();
              while (poller.isAlive() && poller.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
              }
              assertThat(poller.isAlive()).as("waits, with the queue's guard").isFalse();
            };
        assertThat(controller.rescan()).hasSize(1);
        assertThat(controller.statistics().aborts()).isZero();
        queue.await(bio);
        bio.check();
        assertThat(controller.statistics().aborts()).isEqualTo(1);
        assertThat(controller.statistics().resets()).isZero();
      }
    }
  }
}
