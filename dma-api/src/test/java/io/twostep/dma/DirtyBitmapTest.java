package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DirtyBitmapTest {
  @Test
  void marksExactlyThePagesThatAreTouched() {
    long seed = Long.getLong("twostep.seed", 17);
    Random random = new Random(seed);
    for (int round = 0; round < 300; round++) {
      long page = 1L << random.nextInt(14);
      int pages = 1 + random.nextInt(300);
      long first = (random.nextBoolean() ? -(pages * page) : random.nextLong()) & -page;
      if (Long.compareUnsigned(first + (pages * page - 1), first) < 0) {
        continue;
      }
      DirtyBitmap bitmap = new DirtyBitmap(first, pages * page, page);
      BitSet oracle = new BitSet();
      for (int i = 0; i < 20; i++) {
        long from = random.nextLong(-2 * page, (pages + 1) * page);
        long length = 1 + random.nextLong(random.nextBoolean() ? page : pages * page);
        if (Long.compareUnsigned(first + from + length - 1, first + from) < 0 || (from < 0) != (Long.compareUnsigned(first + from, first) < 0)) {
          continue;
        }
        bitmap.mark(first + from, length);
        long to = Math.min(from + length, pages * page);
        for (long at = Math.max(0, from) & -page; at < to; at += page) {
          oracle.set((int) (at / page));
        }
      }
      assertThat(bitmap.dirtyPages()).as("seed %d", seed).isEqualTo(oracle.cardinality());
      for (int i = 0; i < pages; i++) {
        long address = first + i * page;
        assertThat(bitmap.isDirty(address + page - 1)).as("seed %d", seed).isEqualTo(oracle.get(i));
        int next = oracle.nextSetBit(i);
        assertThat(bitmap.nextDirty(address)).isEqualTo(next < 0 ? DirtyBitmap.NONE : first + next * page);
      }
      bitmap.clear();
      assertThat(bitmap.nextDirty(first)).isEqualTo(DirtyBitmap.NONE);
    }
  }

  @Test
  void refusesRangesThatAreNotWholePagesOrWrap() {
    assertThatThrownBy(() -> new DirtyBitmap(0, 4096, 3000)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("power of two");
    assertThatThrownBy(() -> new DirtyBitmap(512, 4096, 4096)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("whole pages");
    assertThatThrownBy(() -> new DirtyBitmap(-4096, 8192, 4096)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("wrap");
    assertThatThrownBy(() -> new DirtyBitmap(0, 1L << 62, 1)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("too large");
    DirtyBitmap bitmap = new DirtyBitmap(4096, 4096, 4096);
    assertThatThrownBy(() -> bitmap.isDirty(8192)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0x2000");
    assertThatThrownBy(() -> bitmap.mark(0, 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
