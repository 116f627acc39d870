package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.host.SglSupport;
import io.twostep.dma.PhysRanges;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Parts of requests: slices of ranges, and how many bytes of them one command can describe. */
class BioRangesTest {
  private static final TransferRules PRP_ONLY = new TransferRules(1 << 20, 4095, SglSupport.NONE, 256, -1L, 0, 0, 0);

  @Test
  void slicesAgreeWithTheBytesTheyName() {
    RandomGenerator random = Seeds.random();
    long[] phys = new long[5];
    long[] length = new long[5];
    for (int round = 0; round < 2_000; round++) {
      BioVector vector = new BioVector();
      List<Long> bytes = new ArrayList<>();
      for (int i = random.nextInt(1, 12); i > 0; i--) {
        long at = random.nextInt(100_000) * 100L;
        long n = random.nextInt(1, 40);
        vector.add(at, n);
        for (long b = 0; b < n; b++) {
          bytes.add(at + b);
        }
      }
      int from = random.nextInt(bytes.size());
      int count = random.nextInt(1, bytes.size() - from + 1);
      BioSlice slice = new BioSlice();
      slice.set(random.nextBoolean() ? vector : new NotSeekable(vector), from, count);
      for (int pass = 0; pass < 2; pass++) {
        List<Long> found = new ArrayList<>();
        slice.rewind();
        for (int filled = slice.fill(phys, length); filled > 0; filled = slice.fill(phys, length)) {
          for (int i = 0; i < filled; i++) {
            for (long b = 0; b < length[i]; b++) {
              found.add(phys[i] + b);
            }
          }
        }
        assertThat(found).as(Seeds.at(round)).isEqualTo(bytes.subList(from, from + count));
      }
    }
  }

  @Test
  void scanStopsBeforeTheFirstGapThatPagesCannotDescribe() {
    BioScan scan = new BioScan();
    BioVector vector = new BioVector().add(0x10000, 4096).add(0x20000, 8192).add(0x30200, 512).add(0x40000, 4096);
    assertThat(scan.scan(vector, 16896, PRP_ONLY, true)).isEqualTo(12288);
    assertThat(scan.isEnded()).isFalse();
    assertThat(scan.ranges()).isEqualTo(2);
    TransferRules merging = new TransferRules(1 << 20, 4095, SglSupport.NONE, 256, 511, 0, 0, 0);
    assertThat(scan.scan(vector, 16896, merging, true)).as("an IOMMU of fine granules closes the gap").isEqualTo(16896);
    assertThat(scan.scan(vector, 16896, merging, false)).isEqualTo(12288);
    assertThat(scan.scan(vector, 20000, new TransferRules(1 << 20, 4095, new SglSupport(true, false, true), 256, -1L, 0, 0, 0), true))
        .isEqualTo(16896);
    assertThat(scan.isEnded()).isTrue();
    assertThat(scan.scan(vector, 16896, new TransferRules(1 << 20, 4095, new SglSupport(true, false, true), 3, -1L, 0, 0, 0), true))
        .as("three descriptors")
        .isEqualTo(12800);
  }

  @Test
  void rangesThatTouchAreOne() {
    BioScan scan = new BioScan();
    assertThat(scan.scan(new BioVector().add(0x1000, 100).add(0x1064, 412), 512, PRP_ONLY, true)).isEqualTo(512);
    assertThat(scan.ranges()).isEqualTo(1);
    assertThat(scan.gapMask()).isZero();
  }

  @Test
  void stateTableHasTheTransitionsOfTheReferenceAndNoOthers() {
    List<String> allowed = new ArrayList<>();
    for (NvmeState from : NvmeState.values()) {
      for (NvmeState to : NvmeState.values()) {
        if (from.mayBecome(to)) {
          allowed.add(from + ">" + to);
        }
      }
    }
    assertThat(allowed)
        .containsExactlyInAnyOrder(
            "CONNECTING>LIVE",
            "NEW>RESETTING",
            "LIVE>RESETTING",
            "NEW>CONNECTING",
            "RESETTING>CONNECTING",
            "LIVE>DELETING",
            "RESETTING>DELETING",
            "CONNECTING>DELETING",
            "DELETING>DELETING_NO_IO",
            "DEAD>DELETING_NO_IO",
            "DELETING>DEAD");
  }

  /** The same ranges without a way to seek. */
  private record NotSeekable(PhysRanges ranges) implements PhysRanges {
    @Override
    public void rewind() {
      ranges.rewind();
    }

    @Override
    public int fill(long[] phys, long[] length) {
      return ranges.fill(phys, length);
    }
  }
}
