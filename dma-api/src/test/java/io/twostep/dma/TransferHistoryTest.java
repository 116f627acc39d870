package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.PeerLayer;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.MapFlags;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Random requests against one oracle: what the device sees through the emitted entries is the concatenation of the ranges. */
class TransferHistoryTest {
  private static final long PAGE = 4096;
  private static final int RANGES_PER_KIND = 90_000;

  private static final List<DeviceLimits> LIMITS =
      List.of(
          DeviceLimits.UNLIMITED,
          DeviceLimits.UNLIMITED.withMaxSegmentLength(1000),
          DeviceLimits.UNLIMITED.withSegmentBoundaryMask(0xFFF),
          DeviceLimits.UNLIMITED.withMaxSegmentLength(65536).withSegmentBoundaryMask(0x3FFF).withMaxSegments(12),
          DeviceLimits.UNLIMITED.withMinAlignMask(0xFFF),
          DeviceLimits.UNLIMITED.withMinAlignMask(0x3FFF));

  @ParameterizedTest
  @EnumSource(Rig.Kind.class)
  @Tag("may-break:overlapping-write+source-changed+too-many-overlaps")
  void deviceSeesTheConcatenationOfTheRanges(Rig.Kind kind) throws InterruptedException {
    Seeds.run(
        20_261_121,
        random -> {
          for (DeviceLimits limits : LIMITS) {
            new History(new Rig(kind, 4096, limits), limits, random).run(RANGES_PER_KIND / LIMITS.size());
          }
        });
  }

  @ParameterizedTest
  @EnumSource(
      value = Rig.Kind.class,
      names = {"TRANSLATING", "HOST", "BOUNCE_TRANSLATING"})
  @Tag("may-break:overlapping-write+source-changed+too-many-overlaps")
  void deviceSeesTheConcatenationOnSmallGranules(Rig.Kind kind) throws InterruptedException {
    Seeds.run(
        20_261_122,
        random -> new History(new Rig(kind, 2048, DeviceLimits.UNLIMITED), DeviceLimits.UNLIMITED, random).run(20_000));
  }

  private static final class History {
    private final Rig rig;
    private final DeviceLimits limits;
    private final Random random;
    private final List<FakeBlock> blocks = new ArrayList<>();
    private final DmaTransfer transfer;
    private final InvalidationBatch batch;
    private final String before;
    private final Ranges ranges = new Ranges();

    History(Rig rig, DeviceLimits limits, Random random) {
      this.rig = rig;
      this.limits = limits;
      this.random = random;
      for (int i = 0; i < 4; i++) {
        blocks.add(rig.allocate(64 * PAGE, MemoryPlacement.SCATTERED));
        blocks.add(rig.allocate(16 * PAGE, MemoryPlacement.CONTIGUOUS));
      }
      if (rig.kind.peers) {
        blocks.add(rig.bus);
        blocks.add(rig.bridge);
      }
      transfer = rig.mapper.newTransfer();
      batch = rig.mapper.newBatch();
      before = rig.accounts();
    }

    void run(int rangesWanted) {
      for (int done = 0; done < rangesWanted; done += Math.max(1, ranges.list.size())) {
        choose();
        switch (random.nextInt(12)) {
          case 0 -> refuseEntry();
          case 1 -> changeBetweenPasses();
          default -> mapAndCheck();
        }
        if (random.nextInt(8) == 0) {
          batch.complete();
        }
      }
      batch.complete();
      transfer.close();
      assertThat(rig.accounts()).isEqualTo(before);
    }

    private void choose() {
      ranges.clear();
      ranges.atOnce = random.nextInt(3) == 0 ? 1 + random.nextInt(20) : Integer.MAX_VALUE;
      int dice = random.nextInt(200);
      int count = dice == 0 && !rig.kind.bounces ? 200 + random.nextInt(400) : dice < 120 ? random.nextInt(5) : random.nextInt(20);
      int shape = random.nextInt(3);
      for (int i = 0; i < count; i++) {
        FakeBlock block = blocks.get(random.nextInt(blocks.size()));
        long offset = random.nextInt((int) (block.length() / PAGE)) * PAGE;
        long length = PAGE;
        if (shape == 1 || shape == 2 && (i == 0 || i == count - 1)) {
          long low = random.nextInt((int) PAGE);
          length = 1 + random.nextLong(PAGE - low);
          offset += low;
        }
        ranges.add(block.phys(offset), length);
      }
      if (count > 2 && random.nextInt(4) == 0) {
        splitOne();
      }
    }

    /** Give one range in two adjacent pieces, which must make no difference. */
    private void splitOne() {
      int i = random.nextInt(ranges.list.size());
      long[] range = ranges.list.get(i);
      if (range[1] > 1) {
        long first = 1 + random.nextLong(range[1] - 1);
        ranges.list.set(i, new long[] {range[0], first});
        ranges.list.add(i + 1, new long[] {range[0] + first, range[1] - first});
      }
    }

    private void mapAndCheck() {
      TransferPlan plan = transfer.plan(ranges);
      long maxEntries = plan.maxEntries();
      boolean oneWindow = plan.isOneWindow();
      require(plan.bytes() == ranges.bytes(), "planned bytes");
      require(plan.ranges() <= ranges.list.size(), "planned ranges");
      Entries entries = new Entries();
      long mapped;
      try {
        mapped = transfer.map(ranges, BIDIRECTIONAL, NONE, entries);
      } catch (DmaMappingException e) {
        boolean tooMany = e.reason() == Reason.OUT_OF_BOUNDS && entries.list.size() == limits.maxSegments();
        boolean poolFull = rig.kind.bounces && e.reason() == Reason.BOUNCE_EXHAUSTED;
        if (!tooMany && !poolFull) {
          throw e;
        }
        batch.complete();
        require(rig.slotsUsed() == 0 && rig.terminal.granulesUsed() == 0 && rig.memory.pins() == 0, "nothing is left");
        return;
      }
      require(mapped == entries.list.size() && mapped <= maxEntries && mapped <= limits.maxSegments(), "entries " + mapped);
      require(entries.bytes() == ranges.bytes() && transfer.length() == ranges.bytes(), "bytes");
      if (oneWindow && limits.maxSegmentLength() == Long.MAX_VALUE && limits.segmentBoundaryMask() == -1L) {
        require(mapped <= 1, "one window is one entry");
      }
      checkLimits(entries);
      checkBytes(entries);
      if (rig.kind.bounces && ranges.bytes() > 0 && !sharesMemory()) {
        moveBytes(entries);
      }
      if (random.nextBoolean()) {
        transfer.unmap();
      } else {
        transfer.unmap(batch);
      }
    }

    private void checkLimits(Entries entries) {
      for (Entries.Entry entry : entries.list) {
        long last = entry.dmaAddress() + entry.length() - 1;
        long mask = limits.segmentBoundaryMask();
        require(entry.length() > 0 && entry.length() <= limits.maxSegmentLength(), "segment length " + entry);
        require(mask == -1L || (entry.dmaAddress() & ~mask) == (last & ~mask), "segment boundary " + entry);
      }
    }

    /** Walk ranges and entries together and look at both ends of every piece they have in common. */
    private void checkBytes(Entries entries) {
      int at = 0;
      long inEntry = 0;
      for (long[] range : ranges.list) {
        for (long inRange = 0; inRange < range[1]; ) {
          Entries.Entry entry = entries.list.get(at);
          long piece = Math.min(entry.length() - inEntry, range[1] - inRange);
          checkByte(entry.dmaAddress() + inEntry, range[0] + inRange);
          checkByte(entry.dmaAddress() + inEntry + piece - 1, range[0] + inRange + piece - 1);
          checkKind(entry, range[0]);
          inRange += piece;
          inEntry += piece;
          if (inEntry == entry.length()) {
            at++;
            inEntry = 0;
          }
        }
      }
    }

    private void checkByte(long dmaAddress, long phys) {
      long reached = rig.reached(dmaAddress, MapFlags.ACCESS);
      boolean bounced = rig.kind.bounces && !isPeer(phys);
      require(bounced ? reached != phys && rig.memory.get(reached) == rig.memory.get(phys) : reached == phys, "what the device reaches");
      if (limits.minAlignMask() != 0 && !isBus(phys)) {
        require(((dmaAddress ^ phys) & limits.minAlignMask()) == 0, "low bits are kept");
      }
    }

    private void checkKind(Entries.Entry entry, long phys) {
      require((entry.kind() == RangeKind.BUS_PEER) == isBus(phys), "kind of " + entry);
      require((entry.dmaAddress() >= PeerLayer.BUS) == isBus(phys), "bus address");
    }

    private boolean isBus(long phys) {
      return rig.memory.regionOf(phys, 1) == rig.bus.region;
    }

    private boolean isPeer(long phys) {
      return isBus(phys) || rig.memory.regionOf(phys, 1) == rig.bridge.region;
    }

    private boolean sharesMemory() {
      for (int i = 0; i < ranges.list.size(); i++) {
        for (int j = 0; j < i; j++) {
          long[] a = ranges.list.get(i);
          long[] b = ranges.list.get(j);
          if (a[0] < b[0] + b[1] && b[0] < a[0] + a[1]) {
            return true;
          }
        }
      }
      return false;
    }

    /** Sync moves exactly the bytes it is asked to: those of a random part, and not those on either side. */
    private void moveBytes(Entries entries) {
      long offset = random.nextLong(ranges.bytes());
      long length = 1 + random.nextLong(Math.min(6000, ranges.bytes() - offset));
      long[] probes = {offset - 1, offset, offset + length - 1, offset + length};
      byte[] old = new byte[4];
      for (int i = 0; i < 4; i++) {
        if (probes[i] >= 0 && probes[i] < ranges.bytes()) {
          old[i] = rig.memory.get(physOf(probes[i]));
          rig.deviceWrite(entries.addressOf(probes[i]), (byte) ~old[i]);
        }
      }
      transfer.syncForCpu(offset, length);
      for (int i = 0; i < 4; i++) {
        if (probes[i] >= 0 && probes[i] < ranges.bytes() && !isPeer(physOf(probes[i]))) {
          boolean inside = i == 1 || i == 2;
          require(rig.memory.get(physOf(probes[i])) == (inside ? (byte) ~old[i] : old[i]), "synced byte " + i);
        }
      }
      rig.memory.put(physOf(offset), (byte) 77);
      transfer.syncForDevice(offset, 1);
      require(rig.deviceRead(entries.addressOf(offset)) == 77, "handed to the device");
    }

    private long physOf(long offset) {
      long at = 0;
      for (long[] range : ranges.list) {
        if (offset < at + range[1]) {
          return range[0] + offset - at;
        }
        at += range[1];
      }
      throw new IndexOutOfBoundsException();
    }

    private void refuseEntry() {
      Entries refusing = new Entries();
      refusing.refuseAt = random.nextInt(3);
      batch.complete();
      try {
        if (transfer.map(ranges, BIDIRECTIONAL, NONE, refusing) >= 0) {
          require(refusing.list.size() <= refusing.refuseAt, "refused");
          transfer.unmap();
        }
      } catch (DmaMappingException e) {
        require(rig.kind.bounces || e.reason() == Reason.OUT_OF_BOUNDS, e.toString());
      }
      require(rig.slotsUsed() == 0 && rig.terminal.granulesUsed() == 0 && rig.memory.pins() == 0, "nothing is left");
    }

    /** A request of more than one run is read twice; what changes in between is found out and undone. */
    private void changeBetweenPasses() {
      if (rig.kind.bounces || limits.maxSegments() < 1000) {
        return;
      }
      ranges.clear();
      ranges.atOnce = Integer.MAX_VALUE;
      FakeBlock block = blocks.get(0);
      int count = 257 + random.nextInt(50);
      for (int i = 0; i < count; i++) {
        ranges.add(block.phys(i % 64 * PAGE), PAGE);
      }
      int victim = random.nextInt(count);
      int how = random.nextInt(4);
      ranges.onRewind =
          () -> {
            if (ranges.passes == 2) {
              switch (how) {
                case 0 -> ranges.list.set(victim, new long[] {ranges.list.get(victim)[0], PAGE / 2});
                case 1 -> ranges.list.remove(victim);
                case 2 -> ranges.list.add(victim, new long[] {block.phys(PAGE), PAGE});
                default -> ranges.list.set(victim, new long[] {ranges.list.get(victim)[0] ^ 0x800, PAGE / 2});
              }
            }
          };
      batch.complete();
      assertThatThrownBy(() -> transfer.map(ranges, BIDIRECTIONAL, NONE, new Entries()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("the source gave other ranges");
      ranges.onRewind = () -> {};
      require(rig.terminal.granulesUsed() == 0 && rig.memory.pins() == 0, "nothing is left");
    }

    private static void require(boolean condition, String what) {
      if (!condition) {
        throw new AssertionError(what);
      }
    }
  }
}
