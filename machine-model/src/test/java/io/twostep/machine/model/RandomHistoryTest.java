package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.machine.model.iommu.TestTables;
import io.twostep.machine.model.memory.Rng;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Link, publish, unlink, invalidate and access at random, always in the right order: whatever the caches do, the device sees exactly what an oracle says.
 */
class RandomHistoryTest {
  private static final int PAGES = 2048;
  private static final long BASE = 0x7f_ff80_0000L;
  private static final int FRAMES = 512;
  private static final int STEPS = 120_000;

  /** Per page of the window: the frame linked there, -1 for none; and whether it was published. */
  private final int[] linked = new int[PAGES];

  private final boolean[] published = new boolean[PAGES];
  private final boolean[] writable = new boolean[PAGES];
  private final long[] content = new long[FRAMES];

  private final MemorySegment word = MemorySegment.ofArray(new long[1]);
  private long digest;
  private int accesses;

  @ParameterizedTest
  @CsvSource({
    "off, vtd-second-stage, 4",
    "normal, vtd-second-stage, 3",
    "normal, amd-v1, 4",
    "adversarial, vtd-second-stage, 4",
    "adversarial, amd-v1, 3"
  })
  void theDeviceSeesExactlyWhatIsLinkedAndPublished(String mode, String format, int levels) {
    long seed = Machines.seed();
    long first = run(mode, format, levels, seed);
    assertThat(accesses).isGreaterThan(STEPS * 2);
    assertThat(run(mode, format, levels, seed)).as("the same seed repeats the run bit for bit").isEqualTo(first);
  }

  private long run(String mode, String format, int levels, long seed) {
    Arrays.fill(linked, -1);
    Arrays.fill(published, false);
    Arrays.fill(content, 0);
    digest = 0;
    accesses = 0;
    Rng rng = new Rng(seed).split("history");
    try (ModelMachine machine = Machines.of("iotlb", mode, "seed", Long.toString(seed))) {
      TestDevice device = new TestDevice();
      DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
      slot.busMaster(true);
      TableWalkingIommu iommu = (TableWalkingIommu) machine.addressSpaceFor(slot).iommu();
      TestTables tables = new TestTables(machine.memory(), iommu, format, levels);
      MemoryBlock data = machine.memory().allocate(FRAMES * 4096L, MemoryPlacement.SCATTERED);
      for (int i = 0; i < STEPS; i++) {
        switch (rng.below(8)) {
          case 0, 1 -> link(rng, tables, data);
          case 2 -> publish(rng, iommu);
          case 3 -> unlink(rng, tables, iommu);
          default -> {
            for (int n = 0; n < 4; n++) {
              access(rng, device, data);
            }
          }
        }
      }
      assertThat(machine.stats().staleAnswers()).as("a careful owner leaves nothing stale, seed %d", seed).isZero();
      assertThat(machine.stats().strayAccesses()).isZero();
      tables.close();
      data.close();
      MachineStats stats = machine.stats();
      assertThat(stats.framesFree()).isEqualTo(stats.frames());
      return digest * 31 + stats.hashCode();
    }
  }

  private void link(Rng rng, TestTables tables, MemoryBlock data) {
    int page = rng.below(PAGES);
    for (int i = rng.below(8); i >= 0 && page < PAGES; i--, page++) {
      if (linked[page] < 0) {
        linked[page] = rng.below(FRAMES);
        published[page] = false;
        writable[page] = rng.below(4) > 0;
        tables.map(iova(page), data.phys(linked[page] * 4096L), writable[page] ? TestTables.RW : TestTables.READ);
      }
    }
  }

  private void publish(Rng rng, TableWalkingIommu iommu) {
    int from = rng.below(PAGES);
    int to = Math.min(PAGES - 1, from + rng.below(64));
    iommu.publish(iova(from), iova(to) + 4095);
    for (int page = from; page <= to; page++) {
      published[page] |= linked[page] >= 0;
    }
  }

  /** Clear pages, sometimes with their whole table, invalidate, and only then free the table. */
  private void unlink(Rng rng, TestTables tables, TableWalkingIommu iommu) {
    if (rng.oneIn(200)) {
      unlinkTable(rng, tables, iommu);
      return;
    }
    int from = rng.below(PAGES);
    int to = Math.min(PAGES - 1, from + rng.below(16));
    for (int page = from; page <= to; page++) {
      if (linked[page] >= 0) {
        tables.unmap(iova(page));
        linked[page] = -1;
        published[page] = false;
      }
    }
    if (rng.oneIn(10)) {
      iommu.invalidateAll();
    } else {
      iommu.invalidate(iova(from), iova(to) + 4095, false);
    }
  }

  private void unlinkTable(Rng rng, TestTables tables, TableWalkingIommu iommu) {
    int from = rng.below(PAGES / 512) * 512;
    boolean present = false;
    for (int page = from; page < from + 512; page++) {
      if (linked[page] >= 0) {
        present = true;
        tables.unmap(iova(page));
        linked[page] = -1;
        published[page] = false;
      }
    }
    if (present) {
      MemoryBlock table = tables.detachLeafTable(iova(from));
      iommu.invalidate(iova(from), iova(from + 511) + 4095, true);
      table.segment().fill((byte) 0xff);
      table.close();
    }
  }

  private void access(Rng rng, TestDevice device, MemoryBlock data) {
    int page = rng.below(PAGES);
    boolean write = rng.oneIn(2);
    boolean allowed = linked[page] >= 0 && published[page] && (!write || writable[page]);
    long value = rng.next();
    accesses++;
    if (write) {
      word.set(ValueLayout.JAVA_LONG, 0, value);
      int status = device.bus.write(iova(page) + 8, word, 0, 8);
      expect(status == BusMaster.OK, allowed, page);
      if (allowed) {
        content[linked[page]] = value;
        expect(data.segment().get(ValueLayout.JAVA_LONG, linked[page] * 4096L + 8) == value, true, page);
      }
    } else {
      int status = device.bus.read(iova(page) + 8, word, 0, 8);
      expect(status == BusMaster.OK, allowed, page);
      if (allowed) {
        expect(word.get(ValueLayout.JAVA_LONG, 0) == content[linked[page]], true, page);
        digest = digest * 31 + word.get(ValueLayout.JAVA_LONG, 0);
      }
    }
  }

  private void expect(boolean is, boolean wanted, int page) {
    if (is != wanted) {
      throw new AssertionError(
          "access " + accesses + " of page " + page + " (frame " + linked[page] + ", published " + published[page] + "): "
              + is + " instead of " + wanted + "; seed " + Machines.seed());
    }
  }

  private static long iova(int page) {
    return BASE + page * 4096L;
  }
}
