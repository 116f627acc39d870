package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Pieces of one range: the best fit, aligned, joined again; random histories against a bitmap. */
class PeerAllocatorTest {
  @Test
  void theSmallestFreePieceThatFitsIsTaken() {
    PeerAllocator allocator = new PeerAllocator(1000);
    long[] at = new long[5];
    long[] lengths = {100, 50, 300, 50, 200};
    for (int i = 0; i < at.length; i++) {
      at[i] = allocator.allocate(0, lengths[i], 1);
    }
    allocator.release(at[0]);
    allocator.release(at[2]);
    allocator.release(at[4]);
    assertThat(allocator.allocate(0, 90, 1)).as("not the 300 or the 500 at the end").isEqualTo(at[0]);
    assertThat(allocator.allocate(0, 300, 1)).isEqualTo(at[2]);
    assertThat(allocator.largestFree()).isEqualTo(500);
    assertThat(allocator.allocate(0, 501, 1)).isEqualTo(PeerAllocator.NONE);
    assertThat(allocator.freeBytes()).isEqualTo(510);
  }

  @Test
  void alignmentIsThatOfTheAddressAndSkippedBytesStayFree() {
    PeerAllocator allocator = new PeerAllocator(0x3000);
    long at = allocator.allocate(0x100, 0x1000, 0x1000);
    assertThat(at).isEqualTo(0xF00);
    assertThat(allocator.allocate(0x100, 0xF00, 1)).isZero();
    allocator.release(0);
    allocator.release(at);
    assertThat(allocator.largestFree()).isEqualTo(0x3000);
    assertThatThrownBy(() -> allocator.release(at)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void randomHistoriesNeverOverlapAndFindWhatFits() throws InterruptedException {
    Seeds.run(
        20_261_121,
        random -> {
          int units = 512;
          PeerAllocator allocator = new PeerAllocator(units * 64L);
          BitSet taken = new BitSet(units);
          Map<Long, Integer> live = new TreeMap<>();
          for (int step = 0; step < 20_000; step++) {
            if (random.nextInt(5) < 3) {
              int count = 1 + random.nextInt(40);
              int align = 1 << random.nextInt(5);
              long at = allocator.allocate(0, count * 64L, align * 64L);
              assertThat(at != PeerAllocator.NONE).as("step %d", step).isEqualTo(fits(taken, units, count, align));
              if (at != PeerAllocator.NONE) {
                int unit = (int) (at / 64);
                assertThat(at % (align * 64L)).isZero();
                assertThat(taken.get(unit, unit + count).isEmpty()).as("step %d", step).isTrue();
                taken.set(unit, unit + count);
                live.put(at, count);
              }
            } else if (!live.isEmpty()) {
              long at = live.keySet().stream().skip(random.nextInt(live.size())).findFirst().orElseThrow();
              int count = live.remove(at);
              allocator.release(at);
              taken.clear((int) (at / 64), (int) (at / 64) + count);
            }
            assertThat(allocator.freeBytes()).isEqualTo((units - taken.cardinality()) * 64L);
            assertThat(allocator.pieces()).isEqualTo(live.size());
          }
        });
  }

  private static boolean fits(BitSet taken, int units, int count, int align) {
    for (int at = 0; at + count <= units; at += align) {
      if (taken.get(at, at + count).isEmpty()) {
        return true;
      }
    }
    return false;
  }
}
