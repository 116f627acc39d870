package io.twostep.device.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestQueue;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a guest can have its device write to outside of its own memory: what its host allowed, and none of what else the device reaches for the host. */
class GuestPostTest {
  private static final long GUEST = 256 << 10;
  private static final int WORDS = 512;
  private static final long SEED = 0x0123_4567_89ab_cdefL;

  private static int post(Host host, GuestQueue queue, long target) {
    List<Integer> ended = new ArrayList<>();
    assertThat(queue.trySubmit(CommandLayout.POST, 1, 0, target, Long.BYTES, SEED)).isTrue();
    for (int round = 0; ended.isEmpty(); round++) {
      assertThat(round).as("rounds without a completion").isLessThan(1000);
      host.machine.timers().pause();
      queue.poll((id, status) -> ended.add(status));
    }
    assertThat(ended).hasSize(1);
    return ended.getFirst();
  }

  private static GuestQueue queue(Host host) {
    GuestQueue queue = new GuestQueue(host.guest, host.devices.getFirst().guestRegisters(), 0, 0, 16);
    queue.start();
    return queue;
  }

  private static List<Integer> written(DmaBuffer buffer) {
    List<Integer> words = new ArrayList<>();
    for (int word = 0; word < WORDS; word++) {
      long value = buffer.segment().getAtIndex(ValueLayout.JAVA_LONG, word);
      assertThat(value).isIn(0L, SEED);
      if (value == SEED) {
        words.add(word);
      }
    }
    return words;
  }

  @Test
  void guestReachesNoBufferOfItsHostWhateverItNames() {
    try (Host host = new Host(Seeds.SEED, "adversarial", GUEST, 1, ModelConfig.DEFAULT);
        DmaBuffer buffer = host.devices.getFirst().mapper().allocateCoherent(WORDS * Long.BYTES)) {
      MigratableDevice device = host.devices.getFirst();
      GuestQueue queue = queue(host);
      long fromGuest = buffer.dmaAddress() - device.window().address();
      for (long target : new long[] {0, buffer.dmaAddress(), fromGuest, -Long.BYTES, Long.MIN_VALUE, device.window().address()}) {
        assertThat(post(host, queue, target)).as("target 0x%x", target).isEqualTo(CommandLayout.BUS_ERROR);
      }
      assertThat(written(buffer)).isEmpty();
    }
  }

  @Test
  void guestReachesThePeerThatItsHostAllowedAndNothingBesideIt() {
    try (Host host = new Host(Seeds.SEED, "adversarial", GUEST, 1, ModelConfig.DEFAULT);
        DmaBuffer buffer = host.devices.getFirst().mapper().allocateCoherent(WORDS * Long.BYTES)) {
      MigratableDevice device = host.devices.getFirst();
      device.allowPeer(buffer.dmaAddress() + 3 * Long.BYTES, 2 * Long.BYTES);
      GuestQueue queue = queue(host);
      assertThat(post(host, queue, 0)).isEqualTo(CommandLayout.SUCCESS);
      for (long target : new long[] {-Long.BYTES, -1, Long.BYTES + 1, 2 * Long.BYTES, Long.MAX_VALUE, buffer.dmaAddress()}) {
        assertThat(post(host, queue, target)).as("target 0x%x", target).isEqualTo(CommandLayout.BUS_ERROR);
      }
      assertThat(written(buffer)).containsExactly(3);
      device.reset();
      assertThat(post(host, queue(host), Long.BYTES)).as("after a reset").isEqualTo(CommandLayout.SUCCESS);
      assertThat(written(buffer)).containsExactly(3, 4);
      device.allowPeer(0, 0);
      assertThat(post(host, queue(host), 0)).isEqualTo(CommandLayout.BUS_ERROR);
    }
  }
}
