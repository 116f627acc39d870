package io.twostep.device.nvme.host;

import static io.twostep.device.nvme.host.TransferFormat.NEITHER;
import static io.twostep.device.nvme.host.TransferFormat.PRP;
import static io.twostep.device.nvme.host.TransferFormat.SGL;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.Seeds;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class TransferFormatTest {
  private static final SglSupport BYTE = new SglSupport(true, false, false);
  private static final SglSupport DWORD = new SglSupport(true, true, true);
  private static final long THRESHOLD = 32768;

  @Test
  void thresholdComparesTheAverageRange() {
    assertThat(choose(BYTE, 0, 32767, 1)).isEqualTo(PRP);
    assertThat(choose(BYTE, 0, 32768, 1)).isEqualTo(SGL);
    assertThat(choose(BYTE, 0, 32769, 1)).isEqualTo(SGL);
    assertThat(choose(BYTE, 0, 65534, 2)).isEqualTo(PRP);
    assertThat(choose(BYTE, 0, 65535, 2)).as("the average is rounded up").isEqualTo(SGL);
    assertThat(TransferFormat.choose(BYTE, 0, 0, 4095, 0, 1 << 20, 1, 0, 0)).as("0 is never").isEqualTo(PRP);
    assertThat(choose(SglSupport.NONE, 0, 1 << 20, 1)).isEqualTo(PRP);
  }

  @Test
  void gapsInsidePagesNeedAnSgl() {
    assertThat(choose(BYTE, 0x200, 512, 2)).isEqualTo(SGL);
    assertThat(choose(SglSupport.NONE, 0x200, 512, 2)).isEqualTo(NEITHER);
    assertThat(choose(BYTE, 0x1000, 512, 2)).isEqualTo(PRP);
  }

  @Test
  void alignmentDecidesWhatIsPossible() {
    assertThat(TransferFormat.choose(BYTE, 2, 0, 4095, 2, 512, 1, 0, THRESHOLD)).isEqualTo(SGL);
    assertThat(TransferFormat.choose(DWORD, 2, 0, 4095, 2, 512, 1, 0, THRESHOLD)).isEqualTo(NEITHER);
    assertThat(TransferFormat.choose(DWORD, 4, 0, 4095, 4, 1 << 20, 1, 0, THRESHOLD)).isEqualTo(SGL);
  }

  @Test
  void scatteredMetadataNeedsAnSglForBoth() {
    assertThat(TransferFormat.choose(DWORD, 0, 0, 4095, 0, 512, 1, 2, THRESHOLD)).isEqualTo(SGL);
    assertThat(TransferFormat.choose(BYTE, 0, 0, 4095, 0, 512, 1, 2, THRESHOLD)).isEqualTo(NEITHER);
    assertThat(TransferFormat.choose(BYTE, 0, 0, 4095, 0, 512, 1, 1, THRESHOLD)).isEqualTo(PRP);
  }

  @Test
  void supportIsReadFromTheIdentifyWord() {
    assertThat(SglSupport.of(0)).isEqualTo(SglSupport.NONE);
    assertThat(SglSupport.of(3)).isEqualTo(SglSupport.NONE);
    assertThat(SglSupport.of(1)).isEqualTo(BYTE);
    assertThat(SglSupport.of(1 << 19 | 2)).isEqualTo(DWORD);
  }

  @Test
  void gapMaskAgreesWithEveryEdgeForEveryBoundary() {
    RandomGenerator random = Seeds.random();
    for (int round = 0; round < 20_000; round++) {
      int count = random.nextInt(1, 6);
      long[] start = new long[count];
      long[] end = new long[count];
      long mask = 0;
      for (int i = 0; i < count; i++) {
        boolean touches = i > 0 && random.nextInt(3) == 0;
        start[i] = touches ? end[i - 1] : random.nextLong() << random.nextInt(64);
        end[i] = start[i] + (random.nextLong() >>> 8 << random.nextInt(56));
        mask |= i == 0 ? 0 : GapMask.edge(end[i - 1], start[i]);
      }
      for (int bits = 0; bits <= 64; bits++) {
        long boundary = bits == 64 ? -1L : (1L << bits) - 1;
        boolean fits = true;
        for (int i = 1; i < count; i++) {
          fits &= end[i - 1] == start[i] || ((end[i - 1] & boundary) == 0 && (start[i] & boundary) == 0);
        }
        assertThat(GapMask.permits(mask, boundary)).as(Seeds.at(round)).isEqualTo(fits);
      }
    }
  }

  private static TransferFormat choose(SglSupport sgl, long gapMask, long length, int ranges) {
    return TransferFormat.choose(sgl, 0, gapMask, 4095, 0, length, ranges, 0, THRESHOLD);
  }
}
