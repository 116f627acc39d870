package io.twostep.device.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestQueue;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.wire.CommandLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A guest's queue, with a device that says what it likes. */
class GuestQueueTest {
  private static final int ENTRIES = 4;
  private static final long FIRST_COMPLETION = 64;

  @Test
  void noMoreIsTakenThanWasSubmitted() {
    try (Host host = new Host(Seeds.SEED, "adversarial", 256 << 10, 1, ModelConfig.DEFAULT)) {
      // Never started: nobody but this test completes anything.
      GuestQueue queue = new GuestQueue(host.guest, host.devices.getFirst().guestRegisters(), 0, 0, ENTRIES);
      for (int i = 0; i < ENTRIES; i++) {
        host.guest.setInt(FIRST_COMPLETION + (long) i * CommandLayout.COMPLETION, i);
        host.guest.setInt(FIRST_COMPLETION + (long) i * CommandLayout.COMPLETION + CommandLayout.PHASE, 1);
      }
      List<Integer> taken = new ArrayList<>();
      assertThat(queue.poll((id, status) -> taken.add(id))).isZero();
      assertThat(queue.waiting()).isZero();
      assertThat(queue.trySubmit(CommandLayout.POST, 0, 0, 0, Long.BYTES, 0)).isTrue();
      assertThat(queue.poll((id, status) -> taken.add(id))).isEqualTo(1);
      assertThat(queue.waiting()).isZero();
      assertThat(taken).containsExactly(0);
      for (int i = 0; i < ENTRIES; i++) {
        assertThat(queue.trySubmit(CommandLayout.POST, i, 0, 0, Long.BYTES, 0)).isTrue();
      }
      assertThat(queue.trySubmit(CommandLayout.POST, ENTRIES, 0, 0, Long.BYTES, 0)).as("more than there are entries").isFalse();
    }
  }
}
