package io.twostep.backend.iommu;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;

/**
 * A random history of a driver and its device: everything that was mapped is compared byte for byte with what the device sees, everything that was
 * taken away must fault.
 *
 * <p>The oracle is a list of pieces: I/O address, physical address, length, permission.
 */
final class DeviceHistory implements AutoCloseable {
  private static final int MOST_LIVE = 12;
  private static final int MOST_RANGES = 12;

  private final Rig rig;
  private final DmaMapper mapper;
  private final ProbeDevice device;
  private final boolean strict;
  private final Random random;
  private final MemoryBlock block;
  private final long granule;
  private final List<Live> lives = new ArrayList<>();
  private final TreeMap<Long, Long> dead = new TreeMap<>(Long::compareUnsigned);
  private final List<String> log = new ArrayList<>();

  DeviceHistory(Rig rig, DmaMapper mapper, ProbeDevice device, boolean strict, long seed) {
    this.rig = rig;
    this.mapper = mapper;
    this.device = device;
    this.strict = strict;
    random = new Random(seed);
    granule = mapper.limits().granule();
    block = rig.memory().allocate(Math.max(16 << 20, granule * 32), MemoryPlacement.CONTIGUOUS);
    MemorySegment all = block.segment();
    byte[] noise = new byte[1 << 16];
    for (long at = 0; at < all.byteSize(); at += noise.length) {
      random.nextBytes(noise);
      MemorySegment.copy(MemorySegment.ofArray(noise), 0, all, at, noise.length);
    }
  }

  /** What a handle lets the device do. */
  private abstract static class Live {
    final List<Piece> pieces = new ArrayList<>();

    abstract void tearDown(InvalidationBatch batch);
  }

  private record Piece(long iova, long phys, long length, DmaDirection access) {}

  private record Range(long phys, long length) {}

  /** Returns the history as text, for a failure. */
  String log() {
    return String.join("\n", log.subList(Math.max(0, log.size() - 60), log.size()));
  }

  void run(int steps) {
    for (int i = 0; i < steps; i++) {
      int choice = random.nextInt(10);
      if (choice < 4 && lives.size() < MOST_LIVE) {
        lives.add(create());
      } else if (choice < 6 && !lives.isEmpty()) {
        tearDown(lives.remove(random.nextInt(lives.size())));
      }
      if (choice == 9) {
        rig.timers().pause();
      }
      for (int probe = 0; probe < 4; probe++) {
        probe();
      }
    }
  }

  private Live create() {
    return switch (random.nextInt(4)) {
      case 0 -> single();
      case 1 -> twoStep();
      case 2 -> transfer();
      default -> window();
    };
  }

  private Live single() {
    DmaDirection direction = direction();
    Range range = range(random.nextBoolean() ? granule * 4 : 2 << 20);
    DmaMapping mapping = mapper.map(range.phys, range.length, direction, 0);
    Live live =
        new Live() {
          @Override
          void tearDown(InvalidationBatch batch) {
            if (batch != null) {
              mapping.unmap(batch);
            }
            mapping.close();
          }
        };
    live.pieces.add(new Piece(mapping.dmaAddress(), range.phys, range.length, direction));
    return created("map", live);
  }

  private Live twoStep() {
    DmaDirection direction = direction();
    List<Range> ranges = chain();
    long total = ranges.stream().mapToLong(Range::length).sum();
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(ranges.getFirst().phys, total + random.nextInt(3) * granule, 0, -1L, direction, 0, granule <= 1 << 20 && random.nextInt(4) == 0);
    Live live =
        new Live() {
          @Override
          void tearDown(InvalidationBatch batch) {
            if (batch != null) {
              window.destroy(batch);
            }
            window.close();
          }
        };
    List<Long> offsets = new ArrayList<>();
    List<Integer> order = new ArrayList<>();
    long offset = 0;
    for (Range range : ranges) {
      order.add(offsets.size());
      offsets.add(offset);
      offset += range.length;
    }
    if (random.nextBoolean()) {
      Collections.shuffle(order, random);
    }
    for (int i : order) {
      long iova = window.link(offsets.get(i), ranges.get(i).phys, ranges.get(i).length);
      live.pieces.add(new Piece(iova, ranges.get(i).phys, ranges.get(i).length, direction));
      if (random.nextInt(4) == 0) {
        window.sync(offsets.get(i), ranges.get(i).length);
      }
    }
    window.sync(0, total);
    created("two-step", live);
    if (random.nextBoolean()) {
      relink(window, live, offsets, ranges, direction);
    }
    return live;
  }

  /** Takes one whole range out, sees it gone, and links other memory in its place. */
  private void relink(IovaReservation window, Live live, List<Long> offsets, List<Range> ranges, DmaDirection direction) {
    int i = random.nextInt(ranges.size());
    Range old = ranges.get(i);
    boolean wholeGranules = ((old.phys | old.length) & granule - 1) == 0;
    if (!wholeGranules) {
      return;
    }
    window.unlink(offsets.get(i), old.length);
    long iova = window.address() + offsets.get(i);
    expectFault(iova + random.nextLong(old.length), "unlinked");
    live.pieces.removeIf(piece -> piece.iova == iova);
    long phys = (block.phys(0) + random.nextLong(block.length() - old.length)) & -granule;
    window.link(offsets.get(i), phys, old.length);
    window.sync(offsets.get(i), old.length);
    live.pieces.add(new Piece(iova, phys, old.length, direction));
    log.add("relinked 0x%x to 0x%x".formatted(iova, phys));
  }

  private Live transfer() {
    DmaDirection direction = direction();
    List<Range> ranges = new ArrayList<>();
    int count = 1 + random.nextInt(MOST_RANGES);
    for (int i = 0; i < count; i++) {
      ranges.add(range(granule * 3));
    }
    if (random.nextBoolean()) {
      ranges.clear();
      ranges.addAll(chain());
    }
    DmaTransfer transfer = mapper.newTransfer();
    List<long[]> entries = new ArrayList<>();
    transfer.map(new Source(ranges), direction, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
    Live live =
        new Live() {
          @Override
          void tearDown(InvalidationBatch batch) {
            if (batch != null) {
              transfer.unmap(batch);
            }
            transfer.close();
          }
        };
    int entry = 0;
    long used = 0;
    for (Range range : ranges) {
      for (long done = 0; done < range.length; ) {
        long[] now = entries.get(entry);
        long part = Math.min(range.length - done, now[1] - used);
        live.pieces.add(new Piece(now[0] + used, range.phys + done, part, direction));
        done += part;
        used += part;
        if (used == now[1]) {
          entry++;
          used = 0;
        }
      }
    }
    if (entry != entries.size() || used != 0) {
      throw new AssertionError("the entries hold more bytes than the request");
    }
    return created("transfer", live);
  }

  private Live window() {
    long unit = granule << random.nextInt(3);
    int units = 1 + random.nextInt(64);
    SparseWindow window = mapper.newWindow(units * unit, unit, DmaDirection.BIDIRECTIONAL, 0);
    Live live =
        new Live() {
          @Override
          void tearDown(InvalidationBatch batch) {
            window.close();
          }
        };
    for (int i = 0; i < 24; i++) {
      long offset = random.nextInt(units) * unit;
      long iova = window.address() + offset;
      if (window.isLinked(offset)) {
        if (random.nextBoolean()) {
          window.unlink(offset, unit);
          live.pieces.removeIf(piece -> piece.iova == iova);
          expectFault(iova + random.nextLong(unit), "unlinked unit");
        } else {
          DmaDirection access = direction();
          window.protect(offset, unit, access);
          live.pieces.replaceAll(piece -> piece.iova == iova ? new Piece(iova, piece.phys, unit, access) : piece);
        }
      } else {
        long phys = (block.phys(0) + random.nextLong(block.length() - unit)) & -unit;
        DmaDirection access = direction();
        window.link(offset, phys, unit, access);
        live.pieces.add(new Piece(iova, phys, unit, access));
      }
      if (!live.pieces.isEmpty()) {
        check(live.pieces.get(random.nextInt(live.pieces.size())));
      }
    }
    return created("window of units of 0x%x".formatted(unit), live);
  }

  private Live created(String what, Live live) {
    log.add(what + " " + live.pieces);
    for (Piece piece : live.pieces) {
      forgetDead(piece);
    }
    return live;
  }

  private void forgetDead(Piece piece) {
    long first = piece.iova & -granule;
    long last = piece.iova + piece.length - 1 | granule - 1;
    dead.subMap(first, true, last, true).clear();
  }

  private void tearDown(Live live) {
    boolean batched = random.nextInt(3) == 0;
    log.add((batched ? "tear down in a batch " : "tear down ") + live.pieces);
    if (batched) {
      try (InvalidationBatch batch = mapper.newBatch()) {
        live.tearDown(batch);
        // Whatever is mapped while the batch waits must not meet what it still holds.
        if (random.nextBoolean() && lives.size() < MOST_LIVE) {
          lives.add(create());
        }
      }
    } else {
      live.tearDown(null);
    }
    if (strict) {
      for (Piece piece : live.pieces) {
        long granuleOf = piece.iova + random.nextLong(piece.length) & -granule;
        boolean taken = lives.stream().flatMap(other -> other.pieces.stream()).anyMatch(other -> touches(other, granuleOf));
        if (!taken) {
          dead.put(granuleOf, piece.phys);
        }
      }
    }
  }

  private boolean touches(Piece piece, long granuleOf) {
    return Long.compareUnsigned(piece.iova & -granule, granuleOf) <= 0
        && Long.compareUnsigned(granuleOf, piece.iova + piece.length - 1) <= 0;
  }

  private void probe() {
    if (!dead.isEmpty() && random.nextInt(3) == 0) {
      Long from = dead.ceilingKey(random.nextLong());
      long at = from == null ? dead.firstKey() : from;
      expectFault(at + random.nextLong(granule), "torn down");
    } else if (!lives.isEmpty()) {
      List<Piece> pieces = lives.get(random.nextInt(lives.size())).pieces;
      if (!pieces.isEmpty()) {
        check(pieces.get(random.nextInt(pieces.size())));
      }
    }
  }

  private void check(Piece piece) {
    int length = (int) Math.min(piece.length, 1 + random.nextInt(128));
    long at = random.nextLong(piece.length - length + 1);
    long iova = piece.iova + at;
    byte[] memory = new byte[length];
    rig.memory().read(piece.phys + at, MemorySegment.ofArray(memory), 0, length);
    byte[] seen = device.tryRead(iova, length);
    if (piece.access == DmaDirection.FROM_DEVICE) {
      require(seen == null, "device read 0x%x, which it may only write", iova);
    } else {
      require(seen != null, "device was refused to read 0x%x", iova);
      require(Arrays.equals(memory, seen), "device read other bytes at 0x%x than memory holds", iova);
    }
    byte[] written = new byte[length];
    random.nextBytes(written);
    boolean allowed = device.tryWrite(iova, written);
    rig.memory().read(piece.phys + at, MemorySegment.ofArray(memory), 0, length);
    if (piece.access == DmaDirection.TO_DEVICE) {
      require(!allowed, "device wrote 0x%x, which it may only read", iova);
    } else {
      require(allowed, "device was refused to write 0x%x", iova);
      require(Arrays.equals(memory, written), "device wrote elsewhere than 0x%x", iova);
    }
  }

  private void expectFault(long iova, String what) {
    require(device.tryRead(iova, 1) == null && !device.tryWrite(iova, new byte[1]), what + " address 0x%x still answers", iova);
  }

  private void require(boolean holds, String message, long iova) {
    if (!holds) {
      var faults = rig.machine.faults(rig.machine.addressSpaceFor(rig.slots().getFirst()));
      throw new AssertionError(message.formatted(iova) + (faults.isEmpty() ? "" : "; latest fault: " + faults.getLast()));
    }
  }

  private DmaDirection direction() {
    return DmaDirection.values()[random.nextInt(DmaDirection.values().length)];
  }

  private Range range(long most) {
    long length = 1 + random.nextLong(most);
    return new Range(block.phys(random.nextLong(block.length() - length)), length);
  }

  /** Ranges that follow each other in one window: only the outer edges lie off the granule. */
  private List<Range> chain() {
    List<Range> ranges = new ArrayList<>();
    int count = 1 + random.nextInt(MOST_RANGES);
    for (int i = 0; i < count; i++) {
      long granules = random.nextInt(8) == 0 ? (2 << 20) / Math.min(granule, 1 << 20) : 1 + random.nextInt(4);
      long length = granules * granule;
      long phys = (block.phys(0) + random.nextLong(block.length() - length)) & -granule;
      long head = i == 0 ? random.nextLong(granule) & -(long) random.nextInt(2) : 0;
      long tail = i == count - 1 && random.nextBoolean() ? random.nextLong(granule - head) : 0;
      ranges.add(new Range(phys + head, length - head - tail));
    }
    return ranges;
  }

  /** The caller's structure: a list. */
  private record Source(List<Range> ranges, int[] position) implements PhysRanges {
    Source(List<Range> ranges) {
      this(ranges, new int[1]);
    }

    @Override
    public void rewind() {
      position[0] = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      while (filled < phys.length && position[0] < ranges.size()) {
        Range range = ranges.get(position[0]++);
        phys[filled] = range.phys;
        length[filled++] = range.length;
      }
      return filled;
    }
  }

  /** Tears everything down. */
  @Override
  public void close() {
    for (Live live : lives) {
      live.tearDown(null);
    }
    lives.clear();
    block.close();
  }
}
