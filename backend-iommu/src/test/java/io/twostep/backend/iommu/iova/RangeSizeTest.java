package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RangeSizeTest {
  @Test
  void smallSizesRoundToPowersOfTwo() {
    assertThat(RangeSize.roundUp(1)).isEqualTo(1);
    assertThat(RangeSize.roundUp(3)).isEqualTo(4);
    assertThat(RangeSize.roundUp(17)).isEqualTo(32);
    assertThat(RangeSize.roundUp(32)).isEqualTo(32);
  }

  @Test
  void largeSizesLoseLessThanAQuarterToRounding() {
    for (long granules = 33; granules < 100_000; granules++) {
      long rounded = RangeSize.roundUp(granules);
      assertThat(rounded).isBetween(granules, granules + granules / 4);
      assertThat(RangeSize.order(rounded)).isEqualTo(RangeSize.order(granules));
    }
    assertThat(RangeSize.roundUp((1L << 60) + 1)).isEqualTo(5L << 58);
  }

  @Test
  void codesGrowWithSizeAndReturnTheStepBelow() {
    int previous = 0;
    for (long granules = 1; granules < 10_000; granules++) {
      int code = RangeSize.floorCode(granules);
      assertThat(code).isGreaterThanOrEqualTo(previous);
      assertThat(RangeSize.ofCode(code)).isLessThanOrEqualTo(granules).isGreaterThan(granules - granules / 4 - 1);
      previous = code;
    }
    assertThat(RangeSize.floorCode(0)).isZero();
    assertThat(RangeSize.ofCode(0)).isZero();
    assertThat(RangeSize.floorCode(1L << 62)).isEqualTo(RangeSize.powerCode(62)).isLessThan(256);
  }

  @Test
  void everyRoundedSizeHasACodeOfItsOwn() {
    for (long granules = 1; granules < 100_000; granules++) {
      long rounded = RangeSize.roundUp(granules);
      assertThat(RangeSize.ofCode(RangeSize.floorCode(rounded))).isEqualTo(rounded);
    }
  }
}
