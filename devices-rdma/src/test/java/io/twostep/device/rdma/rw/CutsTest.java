package io.twostep.device.rdma.rw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.Seeds;
import io.twostep.device.rdma.umem.DmaExtents;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What DMA ranges and physical ranges are cut into, against byte-by-byte reckoning. */
class CutsTest {
  private static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;
  private final SplittableRandom random = new SplittableRandom(Seeds.SEED);

  private DmaExtents extents() {
    DmaExtents extents = new DmaExtents();
    long at = 0x10_0000;
    for (int i = 1 + random.nextInt(6); i > 0; i--) {
      long start = at + (random.nextBoolean() ? 0 : random.nextInt(4096));
      long length = random.nextBoolean() ? 4096 * (1 + random.nextInt(5)) : 1 + random.nextInt(9000);
      extents.accept(start, length, RangeKind.LOCAL);
      at = (start + length + 4095 & -4096) + 4096 * random.nextInt(3);
    }
    return extents;
  }

  private static List<Long> addresses(DmaExtents extents) {
    List<Long> all = new ArrayList<>();
    for (int i = 0; i < extents.count(); i++) {
      add(all, extents.dmaAddress(i), extents.length(i));
    }
    return all;
  }

  private static void add(List<Long> to, long address, long length) {
    for (long i = 0; i < length; i++) {
      to.add(address + i);
    }
  }

  @Test
  void keysHoldEveryByteInOrderWithinTheirLimitsAndNoTwoNeighboursCouldBeOne() {
    for (int round = 0; round < 120; round++) {
      DmaExtents extents = extents();
      int pages = 1 + random.nextInt(6);
      long bytes = random.nextInt(4) == 0 ? 1 + random.nextInt(10_000) : 1 << 30;
      KeyCuts cuts = new KeyCuts().start(extents, pages, bytes);
      List<Long> all = new ArrayList<>();
      long previousEnd = 0;
      long previousLength = 0;
      int previousPages = 0;
      int keys = 0;
      for (List<Long> key = new ArrayList<>(); cuts.next((address, length) -> add(key, address, length)); key.clear()) {
        keys++;
        assertThat(cuts.start()).isEqualTo(key.getFirst());
        assertThat(cuts.length()).as(SEED).isEqualTo(key.size()).isBetween(1L, bytes);
        assertThat(cuts.pages()).as(SEED).isEqualTo(pagesOf(key)).isBetween(1, pages);
        assertThat(hasGap(key)).as(SEED).isFalse();
        boolean follows = previousEnd == key.getFirst() || ((previousEnd | key.getFirst()) & 4095) == 0;
        boolean hadRoom = previousLength < bytes && (previousPages < pages || (previousEnd & 4095) != 0);
        assertThat(keys > 1 && follows && hadRoom).as("key %d could have been longer, %s", keys - 1, SEED).isFalse();
        previousEnd = key.getLast() + 1;
        previousLength = key.size();
        previousPages = cuts.pages();
        all.addAll(key);
      }
      assertThat(all).as(SEED).isEqualTo(addresses(extents));
      assertThat(new KeyCuts().start(extents, pages, bytes).count()).isEqualTo(keys);
      assertThat(KeyCuts.hasGap(extents)).as(SEED).isEqualTo(hasGap(addresses(extents)));
    }
  }

  private static int pagesOf(List<Long> addresses) {
    return (int) addresses.stream().map(address -> address & -4096).distinct().count();
  }

  private static boolean hasGap(List<Long> addresses) {
    for (int i = 1; i < addresses.size(); i++) {
      long end = addresses.get(i - 1) + 1;
      long next = addresses.get(i);
      if (end != next && ((end | next) & 4095) != 0) {
        return true;
      }
    }
    return false;
  }

  @Test
  void requestsHoldEveryByteInOrderAndAllButTheLastAreFull() {
    for (int round = 0; round < 120; round++) {
      DmaExtents extents = extents();
      int ranges = 1 + random.nextInt(4);
      long bytes = random.nextBoolean() ? 1 + random.nextInt(10_000) : 1 << 30;
      RequestCuts cuts = new RequestCuts().start(extents, ranges, bytes);
      List<Long> all = new ArrayList<>();
      int requests = 0;
      int[] count = new int[1];
      while (cuts.next(
          (address, length) -> {
            count[0]++;
            add(all, address, length);
          })) {
        requests++;
        assertThat(count[0]).as(SEED).isBetween(1, ranges);
        assertThat(cuts.bytes()).as(SEED).isBetween(1L, bytes);
        assertThat(count[0] == ranges || cuts.bytes() == bytes || cuts.isLast()).as("request %d is full, %s", requests, SEED).isTrue();
        count[0] = 0;
      }
      assertThat(all).as(SEED).isEqualTo(addresses(extents));
      assertThat(new RequestCuts().start(extents, ranges, bytes).count()).isEqualTo(requests);
    }
  }

  @Test
  void sliceShowsItsBytesAndNoOthersHoweverItIsRead() {
    for (int round = 0; round < 120; round++) {
      long[] numbers = new long[2 * random.nextInt(8)];
      List<Long> whole = new ArrayList<>();
      for (int i = 0; i < numbers.length; i += 2) {
        numbers[i] = 0x1000L * (1 + random.nextInt(1000));
        numbers[i + 1] = 1 + random.nextInt(50);
        add(whole, numbers[i], numbers[i + 1]);
      }
      RangeSlice slice = new RangeSlice(PhysRanges.of(numbers));
      for (int part = 0; part < 3; part++) {
        int from = random.nextInt(whole.size() + 5);
        int length = random.nextInt(whole.size() + 5);
        slice.of(from, length);
        List<Long> expected = whole.subList(Math.min(from, whole.size()), Math.min(from + length, whole.size()));
        for (int reading = 0; reading < 2; reading++) {
          assertThat(read(slice, 1 + random.nextInt(4))).as(SEED).isEqualTo(expected);
          slice.rewind();
        }
      }
    }
    RangeSlice slice = new RangeSlice(PhysRanges.of(0, 10));
    assertThatIllegalArgumentException().isThrownBy(() -> slice.of(-1, 2));
    assertThatIllegalArgumentException().isThrownBy(() -> slice.of(1, -2));
  }

  private static List<Long> read(PhysRanges ranges, int atOnce) {
    List<Long> all = new ArrayList<>();
    long[] phys = new long[atOnce];
    long[] length = new long[atOnce];
    for (int count = ranges.fill(phys, length); count > 0; count = ranges.fill(phys, length)) {
      for (int i = 0; i < count; i++) {
        add(all, phys[i], length[i]);
      }
    }
    return all;
  }
}
