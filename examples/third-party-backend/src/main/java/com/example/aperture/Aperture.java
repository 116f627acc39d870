package com.example.aperture;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;

/**
 * The aperture of one address space: I/O addresses from 0 on, and all tables they will ever need.
 *
 * <pre>
 *   page 0: top      page 1: middle      pages 2 ..: leaves, one word for each granule, in order of address
 * </pre>
 *
 * <p>So the word of a granule is found by counting, and no table is ever made or freed later. The formats' bits: Intel VT-d specification, section 9.8.
 * Words of different granules may be written concurrently; addresses are handed out under a lock.
 */
final class Aperture {
  static final long GRANULE = 4096;
  static final long READ = 1;
  static final long WRITE = 2;
  private static final int LEVELS = 3;
  private static final long WORD = 8;
  private static final long PER_TABLE = GRANULE / WORD;

  final TableWalkingIommu iommu;
  final long size;
  int users;
  private final MemoryBlock tables;
  private final MemorySegment words;
  private final BitSet taken;

  private Aperture(TableWalkingIommu iommu, long size, MemoryBlock tables) {
    this.iommu = iommu;
    this.size = size;
    this.tables = tables;
    words = iommu.tableView().asSlice(tables.phys(0) - iommu.tableBase(), tables.length());
    taken = new BitSet((int) (size / GRANULE));
  }

  /** Make the tables and give the hardware its root. */
  static Aperture create(AttachContext context, TableWalkingIommu iommu, long size) {
    TableFormat format =
        iommu.formats().stream()
            .filter(one -> one.name().equals(TableFormat.VTD_SECOND_STAGE) && one.granule() == GRANULE && one.minLevels() <= LEVELS)
            .findFirst()
            .orElseThrow(() -> ApertureBackend.refused(context, "its IOMMU reads no VT-d tables of 4 KiB pages; use backend iommu"));
    long leaves = size / GRANULE / PER_TABLE;
    MemoryBlock tables = context.machine().memory().allocate((2 + leaves) * GRANULE, MemoryPlacement.CONTIGUOUS);
    try {
      Aperture aperture = new Aperture(iommu, size, tables);
      aperture.reserveForOthers(context);
      aperture.words.set(ValueLayout.JAVA_LONG, 0, tables.phys(GRANULE) | READ | WRITE);
      for (long i = 0; i < leaves; i++) {
        aperture.words.set(ValueLayout.JAVA_LONG, GRANULE + i * WORD, tables.phys((2 + i) * GRANULE) | READ | WRITE);
      }
      iommu.setRoot(format, tables.phys(0), LEVELS);
      iommu.publish(0, size - 1);
      return aperture;
    } catch (RuntimeException e) {
      iommu.clearRoot();
      tables.close();
      throw e;
    }
  }

  /** Keep out address 0, which drivers take for none, and what the machine wants for itself. */
  private void reserveForOthers(AttachContext context) {
    taken.set(0);
    for (AddressRange range : context.space().reserved()) {
      if (range.overlaps(0, size - 1)) {
        long last = Long.compareUnsigned(range.last(), size - 1) < 0 ? range.last() : size - 1;
        taken.set((int) (range.first() / GRANULE), (int) (last / GRANULE) + 1);
      }
    }
  }

  /**
   * Take granules.
   *
   * @param alignment in granules, a power of two
   * @param highest highest address, inclusive
   * @return the first granule, or -1 if there is no room
   */
  int take(int granules, int alignment, long highest) {
    long last = Long.compareUnsigned(highest, size - 1) < 0 ? highest : size - 1;
    int end = (int) ((last + 1) / GRANULE);
    synchronized (taken) {
      int first = taken.nextClearBit(0);
      while (true) {
        first = (first + alignment - 1) & -alignment;
        if (first < 0 || first > end - granules) {
          return -1;
        }
        int next = taken.nextSetBit(first);
        if (next < 0 || next - first >= granules) {
          taken.set(first, first + granules);
          return first;
        }
        first = taken.nextClearBit(next);
      }
    }
  }

  void give(int first, int granules) {
    synchronized (taken) {
      taken.clear(first, first + granules);
    }
  }

  /** Return what a granule translates to, with its permissions; 0 for nothing. */
  long word(long granule) {
    return words.get(ValueLayout.JAVA_LONG, 2 * GRANULE + granule * WORD);
  }

  void word(long granule, long value) {
    words.set(ValueLayout.JAVA_LONG, 2 * GRANULE + granule * WORD, value);
  }

  void close() {
    iommu.clearRoot();
    iommu.invalidateAll();
    tables.close();
  }
}
