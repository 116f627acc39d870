package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;

import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Memory;
import io.twostep.backend.debug.Live.Piece;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Random use of the mapping API by two drivers, their devices and the CPU that breaks no rule, on one {@link Ground}.
 *
 * <p>The memory is cut into areas, each of which one live handle has to itself.
 */
final class HonestHistory implements AutoCloseable {
  private static final int AREAS = 14;
  private static final int MOST_LIVE = 9;

  /** More mappings than these drivers ever have: what the checker is told to tolerate. */
  static final int MAX_LIVE = 60;

  private static final long PAGE = Rig.PAGE;
  static final long AREA = LiveWindow.PAGES * PAGE;

  private static final DebugConfig CONFIG =
      DebugConfig.of(
          Settings.of(new DebugBackendPlugin(), Map.of("on-error", "count", "traces", "false", "measure", "false", "max-live", "" + MAX_LIVE)));

  final Ground ground;
  final Random random;
  final BrokenLayer broken;
  final Rig rig;
  final List<Driver> drivers;
  final List<PeerMemory> peers = new ArrayList<>();
  final List<Live> lives = new ArrayList<>();
  private final MemoryBlock block;
  private final BitSet taken = new BitSet(AREAS);
  private final Handles handles;

  HonestHistory(Ground ground, BrokenLayer broken, Random random) {
    this.ground = ground;
    this.random = random;
    this.broken = broken;
    rig = ground.rig(CONFIG, broken);
    drivers = List.of(new Driver(Ground.FIRST, rig.device, rig.mapper), attach(Ground.SECOND));
    if (ground == Ground.PEERS) {
      publish(Ground.NEAR);
      publish(Ground.BEHIND);
    }
    block = rig.allocate(AREAS * AREA);
    handles = new Handles(this);
    rig.checker.watchWrites(block);
    byte[] bytes = new byte[(int) block.length()];
    random.nextBytes(bytes);
    block.segment().copyFrom(MemorySegment.ofArray(bytes));
  }

  private Driver attach(String address) {
    ProbeDevice device = new ProbeDevice();
    return new Driver(address, device, rig.stack.attach(rig.machine, rig.plug(address, device), DeviceLimits.ofBits(52)));
  }

  /** Attach a device that the history itself never uses. */
  Driver third() {
    return attach(Ground.THIRD);
  }

  private void publish(String address) {
    io.twostep.tck.ProbeDevice provider = io.twostep.tck.ProbeDevice.withMemory(16 * AREA);
    peers.add(PeerMemory.publish(rig.machine, rig.plug(address, provider), io.twostep.tck.ProbeDevice.MEMORY_BAR, 0, provider.memoryLength()));
  }

  Driver driver() {
    return drivers.get(random.nextInt(drivers.size()));
  }

  /** Return memory that nothing maps, for a live handle or for a crime. */
  Memory area() {
    int area = taken.nextClearBit(0);
    taken.set(area);
    return new Memory(block.segment().asSlice(area * AREA, AREA), block.phys(area * AREA), area);
  }

  /** Do one thing that is right. */
  void step() {
    int choice = random.nextInt(12);
    Live live = lives.isEmpty() ? null : lives.get(random.nextInt(lives.size()));
    if (live == null || choice < 4) {
      if (lives.size() < MOST_LIVE) {
        create(kinds().get(random.nextInt(kinds().size())));
      }
    } else if (choice < 6) {
      if (!live.leftAlone || random.nextInt(4) == 0) {
        end(live);
      }
    } else if (choice == 6) {
      if (random.nextBoolean()) {
        rig.machine.timers().pause();
      } else {
        readTogether();
      }
    } else if (!live.leftAlone) {
      if (live instanceof LiveWindow window && random.nextBoolean()) {
        rearrange(window);
      } else if (live.isOwned() && random.nextBoolean()) {
        handOver(live);
      } else {
        access(live);
      }
    }
  }

  /** What handles there can be on this ground. */
  List<Kind> kinds() {
    List<Kind> kinds = new ArrayList<>(List.of(Kind.MAPPING, Kind.TRANSFER, Kind.LINEAR, Kind.COHERENT));
    if (ground.translates) {
      kinds.addAll(List.of(Kind.RESERVATION, Kind.SPARSE));
    }
    if (Ground.STAGING.contains(ground)) {
      kinds.add(Kind.FOREIGN);
    }
    if (ground == Ground.PEERS) {
      kinds.add(Kind.PEER);
    }
    return kinds;
  }

  Live create(Kind kind) {
    Live live = handles.make(kind);
    if (live instanceof LiveWindow window) {
      populate(window);
    }
    lives.add(live);
    return live;
  }

  /** Return a live handle that fits, one with a past if there is one. */
  Live any(Kind kind, Predicate<Live> fits) {
    List<Live> found = lives.stream().filter(live -> live.kind == kind && !live.leftAlone && fits.test(live)).toList();
    if (!found.isEmpty()) {
      return found.get(random.nextInt(found.size()));
    }
    for (int i = 0; i < 64; i++) {
      Live live = create(kind);
      if (fits.test(live)) {
        return live;
      }
      end(live);
    }
    throw new AssertionError("no " + kind + " fits on " + ground);
  }

  private void populate(LiveWindow window) {
    for (int i = random.nextInt(6); i >= 0; i--) {
      rearrange(window);
    }
  }

  /** Have both devices read the same memory, in pieces and as a whole. */
  private void readTogether() {
    Memory area = area();
    long share = 192;
    int count = 1 + random.nextInt(12);
    List<DmaMapping> handles = new ArrayList<>();
    for (int i : shuffled(count)) {
      handles.add(driver().mapper().map(area.phys() + i * share, 1 + random.nextLong(share), DmaDirection.TO_DEVICE, NONE));
    }
    handles.add(driver().mapper().map(area.phys(), count * share, DmaDirection.TO_DEVICE, NONE));
    handles.forEach(DmaMapping::unmap);
    handles.forEach(DmaMapping::close);
    taken.clear(area.area());
  }

  /** Link, publish, unlink, or change the permission of some pages of a window. */
  private void rearrange(LiveWindow window) {
    int choice = random.nextInt(4);
    if (choice < 2 && window.has(true, false)) {
      window.publish(window.run(random, true, false));
    } else if (choice < 3 && window.has(false, false)) {
      window.link(window.run(random, false, false));
    } else if (window.has(true, true)) {
      int[] usable = window.run(random, true, true);
      if (window.sparse != null && random.nextBoolean()) {
        window.sparse.protect(usable[0] * PAGE, usable[1] * PAGE, window.direction);
      } else {
        unlink(window, usable);
      }
    }
  }

  private void unlink(LiveWindow window, int[] run) {
    if (random.nextBoolean()) {
      window.unlink(run, null);
    } else {
      try (InvalidationBatch batch = window.driver.mapper().newBatch()) {
        window.unlink(run, batch);
      }
    }
  }

  /** Have the CPU take a part over, write what it has, or hand it back. */
  private void handOver(Live live) {
    if (live.cpuLength == 0 && !live.pieces.isEmpty()) {
      Piece piece = live.pieces.get(random.nextInt(live.pieces.size()));
      live.cpuFrom = piece.offset() + random.nextLong(piece.length());
      live.cpuLength = 1 + random.nextLong(piece.end() - live.cpuFrom);
      live.calls.toCpu().on(live.cpuFrom, live.cpuLength);
    } else if (live.cpuLength != 0) {
      live.change(live.cpuFrom, live.cpuLength, random);
      long bytes = random.nextBoolean() ? live.cpuLength : random.nextLong(live.cpuLength);
      if (bytes != 0) {
        live.calls.toDevice().on(live.cpuFrom, bytes);
        live.cpuFrom += bytes;
        live.cpuLength -= bytes;
      }
    }
  }

  /** Have the device read or write some bytes that it owns. */
  private void access(Live live) {
    if (live.cpuLength != 0 || live.pieces.isEmpty()) {
      return;
    }
    Piece piece = live.pieces.get(random.nextInt(live.pieces.size()));
    long from = random.nextLong(piece.length());
    int length = 1 + random.nextInt((int) Math.min(64, piece.length() - from));
    if (live.direction.deviceWrites() && random.nextBoolean()) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      live.driver.device().write(piece.dmaAddress() + from, bytes);
    } else if (live.direction.deviceReads()) {
      Rig.ignore(live.driver.device().read(piece.dmaAddress() + from, length));
    }
  }

  /** Tear a handle down, in one of the ways there are. */
  void end(Live live) {
    if (random.nextBoolean()) {
      if (random.nextBoolean()) {
        live.calls.tearDown().run();
      } else {
        try (InvalidationBatch batch = live.driver.mapper().newBatch()) {
          live.calls.inBatch().accept(batch);
          // What is mapped while the batch waits must not meet what it holds.
          if (lives.size() < MOST_LIVE) {
            create(Kind.MAPPING);
          }
        }
      }
    }
    live.calls.close().run();
    forget(live);
  }

  /** A handle is gone, or somebody else's business. */
  void forget(Live live) {
    lives.remove(live);
    if (live.memory.area() != Memory.NO_AREA) {
      taken.clear(live.memory.area());
    }
  }

  /** Tear down everything, close the drivers and then the checker. */
  void finish() {
    while (!lives.isEmpty()) {
      end(lives.getLast());
    }
    drivers.forEach(driver -> driver.mapper().close());
    rig.checker.close();
  }

  /** Return numbers 0 to {@code count - 1}, shuffled. */
  int[] shuffled(int count) {
    int[] order = IntStream.range(0, count).toArray();
    for (int i = count - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int mine = order[i];
      order[i] = order[other];
      order[other] = mine;
    }
    return order;
  }

  @Override
  public void close() {
    rig.close();
  }
}
