package io.twostep.device.vfio.dirty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.dirty.TrackedRanges.Range;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Ranges for devices that take only a few. */
class TrackedRangesTest {
  @Test
  void touchingAndOverlappingRangesAreJoinedAndFewEnoughStayApart() {
    assertThat(TrackedRanges.atMost(8, List.of(new Range(100, 50), new Range(0, 10), new Range(10, 5), new Range(120, 10))))
        .containsExactly(new Range(0, 15), new Range(100, 50));
  }

  @Test
  void theSmallestGapsAreTrackedToo() {
    assertThat(TrackedRanges.atMost(2, List.of(new Range(0, 10), new Range(30, 10), new Range(45, 10), new Range(100, 10))))
        .containsExactly(new Range(0, 55), new Range(100, 10));
  }

  @Test
  void whateverTheRangesEveryByteOfThemIsTracked() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    for (int i = 0; i < 500; i++) {
      List<Range> ranges = new ArrayList<>();
      for (int n = 1 + random.nextInt(12); n > 0; n--) {
        ranges.add(new Range(random.nextInt(1000), 1 + random.nextInt(60)));
      }
      int most = 1 + random.nextInt(5);
      List<Range> tracked = TrackedRanges.atMost(most, ranges);
      assertThat(tracked).as(Seeds.repeat(Seeds.SEED)).hasSizeLessThanOrEqualTo(most);
      for (Range range : ranges) {
        assertThat(tracked).anyMatch(t -> t.first() <= range.first() && t.end() >= range.end());
      }
    }
  }

  @Test
  void rangesThatAreNoneAreRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> TrackedRanges.atMost(8, List.of()));
    assertThatIllegalArgumentException().isThrownBy(() -> TrackedRanges.atMost(8, List.of(new Range(0, 0)))).withMessageContaining("no range to track");
    assertThatIllegalArgumentException().isThrownBy(() -> TrackedRanges.atMost(8, List.of(new Range(Long.MAX_VALUE, 2))));
  }
}
