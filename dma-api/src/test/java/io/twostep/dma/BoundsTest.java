package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Every value near every edge, alone and together, against numbers that do not overflow. */
class BoundsTest {
  private static final long[] EDGES = {0, 1, 4096, 1L << 32, 1L << 61, 1L << 62, Long.MAX_VALUE, Long.MIN_VALUE};

  @Test
  void rangeIsOutsideExactlyIfANumberThatDoesNotOverflowSaysSo() {
    for (long from : EDGES) {
      for (long length : EDGES) {
        for (long whole : EDGES) {
          around(from, length, whole);
        }
      }
    }
  }

  private static void around(long from, long length, long whole) {
    for (int a = -1; a <= 1; a++) {
      for (int b = -1; b <= 1; b++) {
        for (int c = -1; c <= 1; c++) {
          check(from + a, length + b, whole + c);
        }
      }
    }
  }

  @Test
  void rangesOfAnySizeAreJudgedAlike() {
    var random = new SplittableRandom(0x5eed);
    for (int i = 0; i < 200_000; i++) {
      long whole = random.nextLong() >>> random.nextInt(1, 63);
      long from = random.nextBoolean() ? random.nextLong() >> random.nextInt(63) : random.nextLong(whole + 1);
      long length = random.nextBoolean() ? random.nextLong() >> random.nextInt(63) : whole - from + random.nextInt(-1, 2);
      check(from, length, whole);
    }
  }

  private static void check(long from, long length, long whole) {
    if (whole < 0) {
      return;
    }
    boolean inside =
        from >= 0
            && length > 0
            && BigInteger.valueOf(from).add(BigInteger.valueOf(length)).compareTo(BigInteger.valueOf(whole)) <= 0;
    assertThat(Bounds.outside(from, length, whole) >= 0).as("%d + %d in %d", from, length, whole).isEqualTo(inside);
  }

  @Test
  void anyBitCountsButTheSign() {
    assertThat(Bounds.any(0)).isZero();
    for (int bit = 0; bit < 63; bit++) {
      assertThat(Bounds.any(1L << bit)).isNegative();
    }
  }
}
