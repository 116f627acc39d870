package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;

/**
 * A random history of a device that writes while pages come and go and marks are read.
 *
 * <p>The oracle is two sets of granules: those that must be reported, and those that may be, since a leaf is reported whole.
 */
final class DirtyHistory implements AutoCloseable {
  private static final int UNITS = 64;

  private final DmaMapper mapper;
  private final ProbeDevice device;
  private final Random random;
  private final long granule;
  private final MemoryBlock block;
  private final SparseWindow window;
  private final List<DmaMapping> mappings = new ArrayList<>();
  private final TreeSet<Long> must = new TreeSet<>(Long::compareUnsigned);
  private final TreeSet<Long> may = new TreeSet<>(Long::compareUnsigned);
  final DirtyTracking tracking;

  DirtyHistory(Rig rig, DmaMapper mapper, ProbeDevice device, long seed) {
    this.mapper = mapper;
    this.device = device;
    random = new Random(seed);
    granule = mapper.limits().granule();
    block = rig.memory().allocate(1024 * granule, MemoryPlacement.CONTIGUOUS);
    window = mapper.newWindow(UNITS * granule, granule, DmaDirection.BIDIRECTIONAL, 0);
    tracking = mapper.dirtyTracking();
    tracking.start();
  }

  void run(int steps) {
    for (int i = 0; i < steps; i++) {
      switch (random.nextInt(12)) {
        case 0, 1 -> changeUnit();
        case 2 -> changeMapping();
        case 3 -> read(false);
        case 4 -> read(true);
        case 5, 6 -> look();
        default -> write();
      }
    }
    read(true);
  }

  private void changeUnit() {
    long offset = random.nextInt(UNITS) * granule;
    if (!window.isLinked(offset)) {
      window.link(offset, block.phys(random.nextInt(1024) * granule), granule, DmaDirection.BIDIRECTIONAL);
    } else if (random.nextBoolean()) {
      window.unlink(offset, granule);
    } else if (random.nextBoolean()) {
      try (InvalidationBatch batch = mapper.newBatch()) {
        window.unlink(offset, granule, batch);
        writeInto(window.address() + offset, granule, granule);
      }
    } else {
      window.protect(offset, granule, DmaDirection.TO_DEVICE);
      window.protect(offset, granule, DmaDirection.BIDIRECTIONAL);
    }
  }

  private void changeMapping() {
    if (mappings.size() < 4) {
      long length = (1 + random.nextInt(600)) * granule;
      long phys = block.phys(random.nextInt((int) (1025 - length / granule)) * granule);
      mappings.add(mapper.map(phys, length, DmaDirection.BIDIRECTIONAL, 0));
    } else {
      mappings.remove(random.nextInt(mappings.size())).close();
    }
  }

  private void write() {
    if (!mappings.isEmpty() && random.nextInt(4) == 0) {
      DmaMapping mapping = mappings.get(random.nextInt(mappings.size()));
      writeInto(mapping.dmaAddress(), mapping.length(), mapping.length());
    } else {
      writeInto(window.address(), UNITS * granule, granule);
    }
  }

  /** Writes somewhere in a range whose leaves span at most {@code leaf} bytes of it. */
  private void writeInto(long iova, long length, long leaf) {
    long page = iova + random.nextLong(length / granule) * granule;
    int bytes = 1 + random.nextInt(64);
    if (device.tryWrite(page + random.nextInt((int) granule - bytes), new byte[bytes])) {
      must.add(page);
      for (long at = leaf == granule ? page : iova; at != (leaf == granule ? page + granule : iova + length); at += granule) {
        may.add(at);
      }
    }
  }

  private void look() {
    long length = UNITS * granule;
    device.tryRead(window.address() + random.nextLong(length - 8), 8);
    if (!mappings.isEmpty()) {
      device.tryRead(mappings.get(random.nextInt(mappings.size())).dmaAddress(), 8);
    }
  }

  private void read(boolean clear) {
    long first = window.address();
    long length = UNITS * granule;
    if (random.nextBoolean()) {
      long skipped = random.nextInt(UNITS - 1);
      first += skipped * granule;
      length = (1 + random.nextInt((int) (UNITS - skipped - 1))) * granule;
    } else if (!mappings.isEmpty() && random.nextBoolean()) {
      DmaMapping mapping = mappings.get(random.nextInt(mappings.size()));
      first = mapping.dmaAddress();
      length = Math.max(granule, mapping.length() / 2 & -granule);
    }
    DirtyBitmap bitmap = new DirtyBitmap(first, length, granule);
    if (clear) {
      tracking.readAndClear(bitmap);
    } else {
      tracking.read(bitmap);
    }
    TreeSet<Long> reported = new TreeSet<>(Long::compareUnsigned);
    for (long at = bitmap.nextDirty(first); at != DirtyBitmap.NONE; ) {
      reported.add(at);
      at += granule;
      at = at - first < length ? bitmap.nextDirty(at) : DirtyBitmap.NONE;
    }
    assertThat(reported).as("no write is lost").containsAll(must.subSet(first, true, first + length - 1, true));
    assertThat(may).as("nothing is reported that was not written").containsAll(reported);
    if (clear) {
      must.subSet(first, true, first + length - 1, true).clear();
      if (first == window.address()) {
        may.subSet(first, true, first + length - 1, true).clear();
      }
    }
  }

  @Override
  public void close() {
    tracking.stop();
    mappings.forEach(DmaMapping::close);
    window.close();
    block.close();
  }
}
