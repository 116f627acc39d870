package io.twostep.device.vfio.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.vfio.Seeds;
import io.twostep.dma.PhysRanges;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Page lists hold any pages, in as few words as their runs allow. */
class PageListTest {
  private static List<Long> pagesOf(PhysRanges ranges) {
    List<Long> pages = new ArrayList<>();
    long[] phys = new long[3];
    long[] length = new long[3];
    ranges.rewind();
    for (int count = ranges.fill(phys, length); count > 0; count = ranges.fill(phys, length)) {
      for (int i = 0; i < count; i++) {
        for (long at = 0; at < length[i]; at += PageList.PAGE) {
          pages.add(phys[i] + at);
        }
      }
    }
    return pages;
  }

  @Test
  void anyPagesAreListedInOrder() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    PageList list = new PageList();
    List<Long> expected = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      long[] ranges = new long[2 * random.nextInt(5)];
      for (int r = 0; r < ranges.length; r += 2) {
        long last = expected.isEmpty() ? 0 : expected.getLast() + PageList.PAGE;
        ranges[r] = random.nextInt(3) == 0 ? last : random.nextLong(1L << 40) << 12;
        ranges[r + 1] = 1 + random.nextInt(20) << 12;
        expected.addAll(pagesOf(PhysRanges.of(ranges[r], ranges[r + 1])));
      }
      list.append(PhysRanges.of(ranges));
    }
    assertThat(pagesOf(list.ranges())).as(Seeds.repeat(Seeds.SEED)).isEqualTo(expected);
    assertThat(list.pages()).isEqualTo(expected.size());
  }

  @Test
  void singlePagesCostEightBytesAndRunsOf64KiBHalfAByteAPage() {
    PageList single = new PageList();
    PageList runs = new PageList();
    for (long i = 0; i < 10_000; i++) {
      single.append(PhysRanges.of(i << 13, 4096));
      runs.append(PhysRanges.of(i << 17, 65536));
    }
    assertThat(single.listBytes()).isEqualTo(8 * single.pages());
    assertThat(runs.listBytes() * 2).isEqualTo(runs.pages());
  }

  @Test
  void runsLongerThanAWordHoldsAreSeveral() {
    PageList list = new PageList();
    list.append(PhysRanges.of(0, (1L << 36) - 4096, (1L << 36) - 4096, 3 * 4096));
    assertThat(list.runs()).isEqualTo(2);
    assertThat(list.length(0)).isEqualTo(1L << 36);
    assertThat(list.phys(1)).isEqualTo(1L << 36);
    assertThat(list.length(1)).isEqualTo(2 * 4096);
  }

  @Test
  void rangesThatAreNotWholePagesAreRefusedAndChangeNothing() {
    PageList list = new PageList();
    list.append(PhysRanges.of(0, 4096));
    for (long[] bad : new long[][] {{4096, 8192, 20480, 100}, {4096, 4096, 100, 4096}, {4096, 4096, 1L << 52, 4096}, {4096, 4096, 8192, 0}}) {
      assertThatIllegalArgumentException().isThrownBy(() -> list.append(PhysRanges.of(bad))).withMessageContaining("whole pages");
      assertThat(pagesOf(list.ranges())).containsExactly(0L);
      assertThat(list.pages()).isOne();
    }
  }
}
