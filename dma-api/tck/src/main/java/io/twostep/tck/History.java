package io.twostep.tck;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A random history of one driver and its device, checked byte by byte against the oracle of two copies.
 *
 * <p>The memory is cut into areas; every live handle has one. Each step draws from a generator of its own, so that steps can be left out of a history that fails.
 */
final class History {
  private static final int AREAS = 12;
  private static final List<DmaDirection> DIRECTIONS = List.of(DmaDirection.values());

  private final TckFixture stack;
  private final TckRig rig;
  private final long seed;
  private final long granule;
  private final int areaBytes;
  private final MemoryBlock block;
  private final TwoCopies copies;
  private final List<Live> lives = new ArrayList<>();
  private final BitSet taken = new BitSet();
  private final TreeSet<Long> dead = new TreeSet<>(Long::compareUnsigned);
  private final List<String> log = new ArrayList<>();

  History(TckFixture stack, TckRig rig, long seed) {
    this.stack = stack;
    this.rig = rig;
    this.seed = seed;
    granule = stack.granuleOf(rig);
    areaBytes = (int) Math.max(64 << 10, 8 * granule);
    block = rig.memory((long) AREAS * areaBytes);
    copies = new TwoCopies(block);
  }

  /** A piece of the block as the device addresses it. */
  private record Piece(long dmaAddress, int from, int length) {}

  /** A handle that holds something. */
  private abstract static class Live {
    final int area;
    final DmaDirection direction;
    final List<Piece> pieces = new ArrayList<>();

    Live(int area, DmaDirection direction) {
      this.area = area;
      this.direction = direction;
    }

    abstract void sync(Piece piece, int offset, int length, boolean toDevice);

    abstract void tearDown(@Nullable InvalidationBatch batch);
  }

  /** Returns what was done, for a failure. */
  String log() {
    return String.join(System.lineSeparator(), log);
  }

  /** Does step number {@code index}. */
  void step(int index) {
    Random random = new Random(seed * 1_000_003 + index);
    int choice = random.nextInt(10);
    if (choice < 3 && lives.size() < AREAS - 1) {
      create(random);
    } else if (choice < 5 && !lives.isEmpty()) {
      tearDown(random, lives.remove(random.nextInt(lives.size())));
    } else if (choice < 6) {
      rig.machine().timers().pause();
    } else if (!lives.isEmpty()) {
      use(random, lives.get(random.nextInt(lives.size())));
    }
    if (!dead.isEmpty()) {
      Long from = dead.ceiling(random.nextLong());
      rig.device().requireRefused((from == null ? dead.first() : from) + random.nextLong(rig.mapper().limits().granule()), "it was torn down");
    }
  }

  /** Tears everything down. */
  void finish() {
    for (Live live : lives) {
      live.tearDown(null);
      settle(live);
    }
    lives.clear();
    copies.requireCpu(0, (int) block.length(), "at the end");
  }

  private Live create(Random random) {
    int area = taken.nextClearBit(0);
    DmaDirection direction = DIRECTIONS.get(random.nextInt(DIRECTIONS.size()));
    int kinds = stack.has(Behavior.TRANSLATES) ? 3 : 2;
    Live live =
        switch (random.nextInt(stack.has(Behavior.SPARSE_WINDOWS) ? kinds + 1 : kinds)) {
          case 0 -> mapping(random, area, direction);
          case 1 -> transfer(random, area, direction);
          case 2 -> stack.has(Behavior.TRANSLATES) ? reservation(random, area, direction) : window(random, area, direction);
          default -> window(random, area, direction);
        };
    taken.set(area);
    lives.add(live);
    for (Piece piece : live.pieces) {
      handOver(live, piece.from, piece.length);
      dead.subSet(piece.dmaAddress & -granuleOfSpace(), true, piece.dmaAddress + piece.length - 1, true).clear();
      check(random, live, piece);
    }
    return live;
  }

  private void handOver(Live live, int from, int length) {
    if (stack.has(Behavior.SHOWS_WRITERS_ZEROS) && !live.direction.deviceReads()) {
      copies.showZeros(from, length);
    } else {
      copies.handOver(from, length);
    }
  }

  private long granuleOfSpace() {
    return rig.mapper().limits().granule();
  }

  /** Draws a part of {@code bytes} with edges where the stack allows them: offset, length. */
  private int[] part(Random random, int bytes) {
    int edge = (int) stack.edge();
    int edges = bytes / edge;
    int from = random.nextInt(edges);
    int count = 1 + random.nextInt(edges - from);
    return new int[] {from * edge, count * edge};
  }

  private Live mapping(Random random, int area, DmaDirection direction) {
    int[] part = part(random, areaBytes);
    int from = area * areaBytes + part[0];
    DmaMapping mapping = rig.mapper().map(block.phys(from), part[1], direction, 0);
    Live live =
        new Live(area, direction) {
          @Override
          void sync(Piece piece, int offset, int length, boolean toDevice) {
            if (toDevice) {
              mapping.syncForDevice(offset, length);
            } else {
              mapping.syncForCpu(offset, length);
            }
          }

          @Override
          void tearDown(@Nullable InvalidationBatch batch) {
            if (batch != null) {
              mapping.unmap(batch);
            }
            mapping.close();
          }
        };
    live.pieces.add(new Piece(mapping.dmaAddress(), from, part[1]));
    return said("map", live);
  }

  private Live transfer(Random random, int area, DmaDirection direction) {
    int share = areaBytes / 4;
    Ranges source = new Ranges();
    List<int[]> parts = new ArrayList<>();
    for (int i = 0, count = 1 + random.nextInt(4); i < count; i++) {
      int[] part = part(random, share);
      parts.add(new int[] {area * areaBytes + i * share + part[0], part[1]});
      source.add(block.phys(parts.getLast()[0]), part[1]);
    }
    List<long[]> entries = new ArrayList<>();
    DmaTransfer transfer = rig.mapper().newTransfer();
    transfer.map(source, direction, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
    Live live =
        new Live(area, direction) {
          @Override
          void sync(Piece piece, int offset, int length, boolean toDevice) {
            long before = 0;
            for (Piece earlier : pieces.subList(0, pieces.indexOf(piece))) {
              before += earlier.length;
            }
            if (toDevice) {
              transfer.syncForDevice(before + offset, length);
            } else {
              transfer.syncForCpu(before + offset, length);
            }
          }

          @Override
          void tearDown(@Nullable InvalidationBatch batch) {
            if (batch != null) {
              transfer.unmap(batch);
            }
            transfer.close();
          }
        };
    split(parts, entries, live.pieces);
    return said("transfer", live);
  }

  /** Finds the piece of memory behind each part of each entry. */
  private static void split(List<int[]> parts, List<long[]> entries, List<Piece> pieces) {
    int entry = 0;
    long used = 0;
    for (int[] part : parts) {
      for (int done = 0; done < part[1]; ) {
        long[] now = entries.get(entry);
        int bytes = (int) Math.min(part[1] - done, now[1] - used);
        pieces.add(new Piece(now[0] + used, part[0] + done, bytes));
        done += bytes;
        used += bytes;
        if (used == now[1]) {
          entry++;
          used = 0;
        }
      }
    }
    if (entry != entries.size()) {
      throw new AssertionError("the entries hold more bytes than the request");
    }
  }

  private Live reservation(Random random, int area, DmaDirection direction) {
    int unit = (int) granule;
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < areaBytes / unit; i++) {
      order.add(i);
    }
    Collections.shuffle(order, random);
    int count = 1 + random.nextInt(order.size());
    int head = random.nextInt(unit) / (int) stack.edge() * (int) stack.edge() * random.nextInt(2);
    int base = area * areaBytes;
    IovaReservation window = rig.mapper().newReservation();
    window.tryAlloc(block.phys(base + head), (long) count * unit - head + random.nextLong(2) * unit, direction, 0);
    Live live =
        new Live(area, direction) {
          @Override
          void sync(Piece piece, int offset, int length, boolean toDevice) {
            long at = piece.dmaAddress - window.address() + offset;
            if (toDevice) {
              window.syncForDevice(at, length);
            } else {
              window.syncForCpu(at, length);
            }
          }

          @Override
          void tearDown(@Nullable InvalidationBatch batch) {
            if (batch != null) {
              window.destroy(batch);
            }
            window.close();
          }
        };
    for (int i = 0; i < count; i++) {
      int skip = i == 0 ? head : 0;
      int from = base + order.get(i) * unit + skip;
      long at = window.link((long) i * unit + skip - head, block.phys(from), unit - skip);
      live.pieces.add(new Piece(at, from, unit - skip));
    }
    window.sync(0, (long) count * unit - head);
    said("two steps", live);
    if (count > 2) {
      relink(window, live, 1 + random.nextInt(count - 2), head, unit);
    }
    return live;
  }

  /** Takes one link out, sees it gone, and puts it back. */
  private void relink(IovaReservation window, Live live, int index, int head, int unit) {
    Piece piece = live.pieces.get(index);
    long offset = (long) index * unit - head;
    window.unlink(offset, unit);
    rig.device().requireRefused(piece.dmaAddress, "it was unlinked");
    copies.takeOver(piece.from, piece.length, DmaDirection.TO_DEVICE);
    window.link(offset, block.phys(piece.from), unit);
    window.sync(offset, unit);
  }

  private Live window(Random random, int area, DmaDirection drawn) {
    DmaDirection direction = stack.has(Behavior.SHOWS_WRITERS_ZEROS) && !drawn.deviceReads() ? DmaDirection.BIDIRECTIONAL : drawn;
    int unit = (int) Math.max(4096, granule);
    int units = areaBytes / unit;
    SparseWindow window = rig.mapper().newWindow(areaBytes, unit, DmaDirection.BIDIRECTIONAL, 0);
    Live live =
        new Live(area, direction) {
          @Override
          void sync(Piece piece, int offset, int length, boolean toDevice) {
            // On direct devices the unit's address says nothing of its place; the piece was linked at its own offset.
            long at = piece.from - (long) area * areaBytes + offset;
            if (toDevice) {
              window.syncForDevice(at, length);
            } else {
              window.syncForCpu(at, length);
            }
          }

          @Override
          void tearDown(@Nullable InvalidationBatch batch) {
            window.close();
          }
        };
    for (int i = 0; i < units; i++) {
      if (random.nextInt(3) != 0 || i == 0) {
        int from = area * areaBytes + i * unit;
        live.pieces.add(new Piece(window.link((long) i * unit, block.phys(from), unit, direction), from, unit));
      }
    }
    return said("window", live);
  }

  private Live said(String what, Live live) {
    StringBuilder text = new StringBuilder("%s %s in area %d:".formatted(what, live.direction, live.area));
    for (Piece piece : live.pieces) {
      text.append(" 0x%x=0x%x+0x%x".formatted(piece.dmaAddress, piece.from, piece.length));
    }
    log.add(text.toString());
    return live;
  }

  private void use(Random random, Live live) {
    Piece piece = live.pieces.get(random.nextInt(live.pieces.size()));
    int from = random.nextInt(piece.length);
    int length = 1 + random.nextInt(Math.min(600, piece.length - from));
    log.add("use 0x%x+0x%x of area %d".formatted(piece.from + from, length, live.area));
    if (live.direction.deviceWrites() && random.nextBoolean()) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      rig.device().write(piece.dmaAddress + from, bytes);
      copies.deviceWrites(piece.from + from, bytes);
      int synced = 1 + random.nextInt(length);
      live.sync(piece, from, synced, false);
      copies.takeOver(piece.from + from, synced, live.direction);
      copies.requireCpu(piece.from + from, length, "after sync for the CPU");
      if (synced == length) {
        live.sync(piece, from, length, true);
        handOver(live, piece.from + from, length);
      }
    } else if (live.direction.deviceReads()) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      live.sync(piece, from, length, false);
      copies.takeOver(piece.from + from, length, live.direction);
      copies.cpuWrites(piece.from + from, bytes);
      live.sync(piece, from, length, true);
    }
    check(random, live, piece);
  }

  /** Compares a part with what the device sees of it. */
  private void check(Random random, Live live, Piece piece) {
    int from = random.nextInt(piece.length);
    int length = 1 + random.nextInt(Math.min(200, piece.length - from));
    if (live.direction.deviceReads()) {
      copies.requireDevice(piece.from + from, rig.device().read(piece.dmaAddress + from, length), piece.dmaAddress + from);
    } else if (stack.has(Behavior.WRITE_ONLY) && rig.device().tryRead(piece.dmaAddress + from, length) != null) {
      throw new AssertionError("the device read 0x%x, which it may only write".formatted(piece.dmaAddress + from));
    }
    if (!live.direction.deviceWrites() && stack.has(Behavior.TRANSLATES) && rig.device().tryWrite(piece.dmaAddress + from, new byte[1])) {
      throw new AssertionError("the device wrote 0x%x, which it may only read".formatted(piece.dmaAddress + from));
    }
  }

  private void tearDown(Random random, Live live) {
    boolean batched = random.nextInt(3) == 0;
    log.add("tear down area %d%s".formatted(live.area, batched ? " in a batch" : ""));
    if (batched) {
      try (InvalidationBatch batch = rig.mapper().newBatch()) {
        live.tearDown(batch);
        // What is mapped while the batch waits must not meet what the batch still holds.
        if (lives.size() < AREAS - 2) {
          create(random);
        }
      }
    } else {
      live.tearDown(null);
    }
    settle(live);
    if (stack.has(Behavior.TRANSLATES)) {
      if (stack.has(Behavior.LAZY)) {
        rig.mapper().awaitQuiescence();
      }
      for (Piece piece : live.pieces) {
        long at = piece.dmaAddress & -granuleOfSpace();
        if (!isLive(at)) {
          dead.add(at);
        }
      }
    }
  }

  private void settle(Live live) {
    for (Piece piece : live.pieces) {
      copies.takeOver(piece.from, piece.length, live.direction);
    }
    copies.requireCpu(live.area * areaBytes, areaBytes, "after teardown");
    taken.clear(live.area);
  }

  private boolean isLive(long at) {
    for (Live live : lives) {
      for (Piece piece : live.pieces) {
        if ((piece.dmaAddress & -granuleOfSpace()) <= at && at < piece.dmaAddress + piece.length) {
          return true;
        }
      }
    }
    return false;
  }
}
