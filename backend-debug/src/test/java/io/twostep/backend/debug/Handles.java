package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;

import io.twostep.backend.debug.Live.Calls;
import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Memory;
import io.twostep.backend.debug.Live.Piece;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaPool;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.PeerBlock;
import io.twostep.tck.Ranges;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes handles of every kind that hold something random, for a random driver of a history. */
final class Handles {
  private static final long PAGE = Rig.PAGE;
  private static final long AREA = HonestHistory.AREA;

  private final HonestHistory history;
  private final Random random;

  Handles(HonestHistory history) {
    this.history = history;
    random = history.random;
  }

  Live make(Kind kind) {
    Driver driver = history.driver();
    DmaDirection direction = DmaDirection.values()[random.nextInt(DmaDirection.values().length)];
    return switch (kind) {
      case MAPPING -> mapping(driver, direction);
      case FOREIGN -> foreign(driver, direction);
      case PEER -> peer(driver, direction);
      case TRANSFER -> transfer(driver, direction);
      case LINEAR -> linear(driver, direction);
      case RESERVATION -> reservation(driver, direction);
      case SPARSE -> sparse(driver, direction);
      case COHERENT -> random.nextBoolean() ? coherent(driver) : pooled(driver);
    };
  }

  private Live mapping(Driver driver, DmaDirection direction) {
    Memory area = history.area();
    long from = random.nextLong(AREA);
    long length = 1 + random.nextLong(AREA - from);
    DmaMapping handle = driver.mapper().newMapping();
    if (random.nextBoolean()) {
      // A handle with a past.
      handle.map(area.phys(), PAGE, direction, NONE).unmap();
    }
    handle.map(area.phys() + from, length, direction, NONE);
    Runnable again = () -> handle.map(area.phys(), PAGE, direction, NONE);
    return new Live(Kind.MAPPING, driver, direction, area, handle.dmaAddress(), length, calls(handle, again, handle::close)).whole(from);
  }

  private static Calls calls(DmaMapping handle, Runnable again, Runnable close) {
    return new Calls(handle::syncForCpu, handle::syncForDevice, handle::unmap, handle::unmap, again, close);
  }

  private Live foreign(Driver driver, DmaDirection direction) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[1 + random.nextInt(3 * (int) PAGE)]);
    DmaMapping handle = driver.mapper().map(bytes, direction, NONE);
    Calls calls = calls(handle, () -> handle.map(bytes, direction, NONE), handle::close);
    Memory memory = new Memory(bytes, -1, Memory.NO_AREA);
    return new Live(Kind.FOREIGN, driver, direction, memory, handle.dmaAddress(), handle.length(), calls).whole(0);
  }

  private Live peer(Driver driver, DmaDirection direction) {
    PeerBlock peer = history.peers.get(random.nextInt(history.peers.size())).allocate(4 * PAGE);
    long from = random.nextLong(peer.length());
    long length = 1 + random.nextLong(peer.length() - from);
    DmaMapping handle = driver.mapper().map(peer.phys() + from, length, direction, NONE);
    Runnable close =
        () -> {
          handle.close();
          peer.close();
        };
    Calls calls = calls(handle, () -> handle.map(peer.phys(), PAGE, direction, NONE), close);
    Memory memory = new Memory(peer.segment(), peer.phys(), Memory.NO_AREA);
    return new Live(Kind.PEER, driver, direction, memory, handle.dmaAddress(), length, calls).whole(from);
  }

  private Live transfer(Driver driver, DmaDirection direction) {
    Memory area = history.area();
    long share = AREA / 4;
    Ranges source = new Ranges();
    List<long[]> parts = new ArrayList<>();
    for (int i = 0, count = 1 + random.nextInt(4); i < count; i++) {
      long from = i * share + random.nextLong(share);
      long length = 1 + random.nextLong((i + 1) * share - from);
      parts.add(new long[] {from, length});
      source.add(area.phys() + from, length);
    }
    List<long[]> entries = new ArrayList<>();
    DmaTransfer handle = driver.mapper().newTransfer();
    handle.map(source, direction, NONE, (address, length, kind) -> entries.add(new long[] {address, length}));
    Live live =
        new Live(
            Kind.TRANSFER,
            driver,
            direction,
            area,
            entries.getFirst()[0],
            source.bytes(),
            new Calls(
                handle::syncForCpu,
                handle::syncForDevice,
                handle::unmap,
                handle::unmap,
                () -> handle.map(source, direction, NONE, (address, length, kind) -> true),
                handle::close));
    place(live, parts, entries);
    return live;
  }

  /** Find where each part of each entry lies in memory. */
  private static void place(Live live, List<long[]> parts, List<long[]> entries) {
    int entry = 0;
    long used = 0;
    long offset = 0;
    for (long[] part : parts) {
      for (long done = 0; done < part[1]; ) {
        long[] now = entries.get(entry);
        long bytes = Math.min(part[1] - done, now[1] - used);
        live.pieces.add(new Piece(offset, now[0] + used, part[0] + done, bytes));
        offset += bytes;
        done += bytes;
        used += bytes;
        if (used == now[1]) {
          entry++;
          used = 0;
        }
      }
    }
  }

  private Live linear(Driver driver, DmaDirection direction) {
    Memory area = history.area();
    LinearMapping handle = driver.mapper().newLinear();
    Ranges source = new Ranges();
    List<long[]> parts = new ArrayList<>();
    boolean gathers = Ground.STAGING.contains(history.ground) && random.nextBoolean();
    long share = AREA / 4;
    for (int i = 0, count = gathers ? 1 + random.nextInt(4) : 1; i < count; i++) {
      long from = i * share + random.nextLong(share);
      parts.add(new long[] {from, 1 + random.nextLong((i + 1) * share - from)});
      source.add(area.phys() + from, parts.getLast()[1]);
    }
    long address = handle.map(source, direction, NONE, gathers ? LinearPolicy.MAY_BOUNCE : LinearPolicy.IN_PLACE);
    Live live =
        new Live(
            Kind.LINEAR,
            driver,
            direction,
            area,
            address,
            source.bytes(),
            new Calls(
                handle::syncForCpu,
                handle::syncForDevice,
                handle::unmap,
                handle::unmap,
                () -> handle.map(source, direction, NONE, LinearPolicy.MAY_BOUNCE),
                handle::close));
    place(live, parts, List.of(new long[] {address, source.bytes()}));
    return live;
  }

  private Live reservation(Driver driver, DmaDirection direction) {
    IovaReservation handle = driver.mapper().newReservation();
    if (!handle.tryAlloc(0, AREA, direction, NONE)) {
      throw new AssertionError("nothing translates on " + history.ground);
    }
    return new LiveWindow(driver, direction, history.area(), handle);
  }

  private Live sparse(Driver driver, DmaDirection direction) {
    return new LiveWindow(driver, direction, history.area(), driver.mapper().newWindow(AREA, PAGE, direction, NONE));
  }

  private Live coherent(Driver driver) {
    DmaBuffer buffer = driver.mapper().allocateCoherent(1 + random.nextLong(3 * PAGE));
    return ofCoherent(driver, buffer.segment(), buffer.dmaAddress(), buffer.length(), buffer::close);
  }

  private Live pooled(Driver driver) {
    DmaPool pool = driver.mapper().newPool(1 + random.nextInt(512), 1L << random.nextInt(7));
    DmaPool.Element element = pool.allocate();
    return ofCoherent(
        driver,
        element.segment(),
        element.dmaAddress(),
        element.segment().byteSize(),
        () -> {
          element.free();
          pool.close();
        });
  }

  private Live ofCoherent(Driver driver, MemorySegment segment, long dmaAddress, long length, Runnable close) {
    Calls calls = Calls.onlyClose((offset, bytes) -> {}, (offset, bytes) -> {}, close);
    return new Live(Kind.COHERENT, driver, DmaDirection.BIDIRECTIONAL, new Memory(segment, -1, Memory.NO_AREA), dmaAddress, length, calls).whole(0);
  }
}
