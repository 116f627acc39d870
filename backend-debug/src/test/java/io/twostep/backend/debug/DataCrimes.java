package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;

import io.twostep.backend.debug.Crime.Evidence;
import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Memory;
import io.twostep.backend.debug.Live.Piece;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** What a driver can do wrong with bytes, and leave behind; nothing of it is refused, and some is found out only at a teardown or at the end. */
final class DataCrimes {
  private static final long PAGE = Rig.PAGE;

  /** Where memory that the device only reads is judged in place, some pieces bounced, some not. */
  private static final Set<Ground> IN_PLACE = EnumSet.of(Ground.TRANSLATED, Ground.PEERS);

  private static final Set<Ground> BOUNCED = EnumSet.of(Ground.BOUNCED);
  private static final Set<Ground> BLIND = EnumSet.of(Ground.NON_COHERENT);

  private DataCrimes() {}

  static Stream<Crime> all() {
    return Stream.of(
        Crime.of(Rule.SYNC_OF_HOLE, Ground.TRANSLATING, DataCrimes::syncHole),
        Crime.of(Rule.PUBLISH_OF_HOLE, Ground.TRANSLATING, DataCrimes::publishHole),
        Crime.of(Rule.SYNC_BEFORE_PUBLISH, Ground.TRANSLATING, DataCrimes::syncBeforePublish),
        Crime.of(Rule.SYNC_DIRECTION, Ground.ALL, DataCrimes::takeOverWhatChanged),
        Crime.of(Rule.CPU_WROTE_TOO_LATE, IN_PLACE, DataCrimes::writeTooLate),
        Crime.of(Rule.BOUNCE_WITHOUT_SYNC, BOUNCED, DataCrimes::writeTooLate),
        Crime.of(Rule.SENT_UNWRITTEN, Ground.ALL, DataCrimes::sendUnwritten),
        Crime.of(Rule.OVERLAPPING_WRITE, Ground.ALL, DataCrimes::overlap),
        Crime.of(Rule.CACHE_LINE_SHARED, BLIND, DataCrimes::shareLine),
        Crime.of(Rule.TOO_MANY_OVERLAPS, Ground.ALL, DataCrimes::mapOverAndOver),
        Crime.of(Rule.TOO_MANY_MAPPINGS, Ground.ALL, DataCrimes::mapTooMuch),
        Crime.of(Rule.MEMORY_GONE, Ground.STAGING, DataCrimes::closeArena),
        Crime.of(Rule.LEAKED_MAPPING, Ground.ALL, history -> leak(history, Kind.MAPPING)),
        Crime.of(Rule.LEAKED_WINDOW, Ground.TRANSLATING, history -> leak(history, Kind.RESERVATION)),
        Crime.of(Rule.LEAKED_WINDOW, Ground.TRANSLATING, history -> leak(history, Kind.SPARSE)),
        Crime.of(Rule.LEAKED_COHERENT, Ground.ALL, history -> leak(history, Kind.COHERENT)),
        Crime.of(Rule.BATCH_NEVER_COMPLETED, Ground.TRANSLATING, DataCrimes::forgetBatch));
  }

  private static Evidence syncHole(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> ((LiveWindow) live).linked.nextClearBit(0) < LiveWindow.PAGES);
    long from = window.linked.nextClearBit(0) * PAGE + history.random.nextLong(PAGE - 1);
    (history.random.nextBoolean() ? window.calls.toCpu() : window.calls.toDevice()).on(from, 1);
    return Evidence.range(window.driver, window.dmaAddress + from, 1);
  }

  private static Evidence publishHole(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> ((LiveWindow) live).linked.nextClearBit(0) < LiveWindow.PAGES);
    long from = window.linked.nextClearBit(0) * PAGE;
    window.reservation().sync(from, PAGE);
    return Evidence.range(window.driver, window.dmaAddress + from, PAGE);
  }

  private static Evidence syncBeforePublish(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> ((LiveWindow) live).has(true, false));
    int[] run = window.run(history.random, true, false);
    long from = run[0] * PAGE + history.random.nextLong(PAGE);
    (history.random.nextBoolean() ? window.calls.toCpu() : window.calls.toDevice()).on(from, 1);
    return Evidence.range(window.driver, window.dmaAddress + from, 1);
  }

  /** Return what the device only reads, wholly its own now. */
  private static Live handedOver(HonestHistory history) {
    Kind kind = oneOf(history, Kind.MAPPING, Kind.TRANSFER, Kind.LINEAR, Kind.RESERVATION);
    Predicate<Live> fits = live -> live.direction == TO_DEVICE && live.cpuLength == 0 && !live.pieces.isEmpty();
    Live live = history.any(kind, fits);
    live.leftAlone = true;
    return live;
  }

  private static Kind oneOf(HonestHistory history, Kind... kinds) {
    List<Kind> possible = Stream.of(kinds).filter(history.kinds()::contains).toList();
    return possible.get(history.random.nextInt(possible.size()));
  }

  /** A byte that the device owns, changed by the CPU: its place in the handle and its physical address. */
  private record Change(long offset, long phys) {}

  private static Change change(HonestHistory history, Live live) {
    Piece piece = live.pieces.get(history.random.nextInt(live.pieces.size()));
    long at = history.random.nextLong(piece.length());
    live.memory.change(piece.at() + at, history.random);
    return new Change(piece.offset() + at, live.memory.phys() + piece.at() + at);
  }

  private static Evidence takeOverWhatChanged(HonestHistory history) {
    Live live = handedOver(history);
    Change change = change(history, live);
    long before = Math.min(change.offset - pieceOf(live, change.offset).offset(), history.random.nextLong(100));
    live.calls.toCpu().on(change.offset - before, before + 1);
    return Evidence.around(live.driver, change.phys);
  }

  private static Piece pieceOf(Live live, long offset) {
    return live.pieces.stream().filter(piece -> offset >= piece.offset() && offset < piece.end()).findFirst().orElseThrow();
  }

  /** Write, and then hand over other bytes, more than a line away. */
  private static Evidence writeTooLate(HonestHistory history) {
    Live live = handedOver(history);
    Change change = change(history, live);
    for (Piece piece : live.pieces) {
      if (change.offset < piece.offset() || change.offset >= piece.end()) {
        handBack(history, live, piece.offset(), piece.length());
      } else {
        long before = Math.min(change.offset - 128, piece.end()) - piece.offset();
        long after = change.offset + 128;
        if (before > 0) {
          handBack(history, live, piece.offset(), before);
        }
        if (after < piece.end()) {
          handBack(history, live, after, piece.end() - after);
        }
      }
    }
    return Evidence.around(live.driver, change.phys);
  }

  private static void handBack(HonestHistory history, Live live, long offset, long length) {
    if (history.random.nextBoolean()) {
      if (history.random.nextBoolean()) {
        live.calls.toCpu().on(offset, length);
      }
      live.calls.toDevice().on(offset, length);
    }
  }

  private static Evidence sendUnwritten(HonestHistory history) {
    Driver driver = history.driver();
    MemoryBlock block = history.rig.allocate(2 * PAGE);
    history.rig.checker.watchWrites(block);
    long hole = 8 * history.random.nextLong(2 * PAGE / 8);
    for (long at = 0; at < 2 * PAGE; at += 8) {
      if (at != hole) {
        block.segment().set(ValueLayout.JAVA_LONG, at, 0);
      }
    }
    long from = hole - history.random.nextLong(hole + 1);
    long length = hole + 8 - from + history.random.nextLong(2 * PAGE - hole - 7);
    driver.mapper().map(block.phys(from), length, TO_DEVICE, NONE).close();
    return Evidence.range(driver, block.phys(from), length);
  }

  private static Evidence overlap(HonestHistory history) {
    Predicate<Live> fits = live -> !live.pieces.isEmpty() && live.cpuLength == 0;
    Live live = history.any(oneOf(history, Kind.MAPPING, Kind.LINEAR, Kind.RESERVATION), fits);
    Driver driver = history.driver();
    Piece piece = live.pieces.get(history.random.nextInt(live.pieces.size()));
    long phys = live.memory.phys() + piece.at() + history.random.nextLong(piece.length());
    DmaDirection direction = live.direction == TO_DEVICE ? FROM_DEVICE : DmaDirection.values()[history.random.nextInt(DmaDirection.values().length)];
    driver.mapper().map(phys, 1, direction, NONE).close();
    live.leftAlone = true;
    return Evidence.range(driver, phys, 1);
  }

  private static Evidence shareLine(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    long middle = area.phys() + 64 * history.random.nextLong(32) + 1 + history.random.nextLong(63);
    try (DmaMapping first = history.driver().mapper().map(area.phys(), middle - area.phys(), FROM_DEVICE, NONE)) {
      driver.mapper().map(middle, 100, TO_DEVICE, NONE).close();
      Rig.ignore(first);
    }
    return Evidence.range(driver, middle, 100);
  }

  private static Evidence mapOverAndOver(HonestHistory history) {
    Memory area = history.area();
    List<DmaMapping> handles =
        Stream.generate(() -> history.driver().mapper().map(area.phys() + history.random.nextLong(100), PAGE, TO_DEVICE, NONE))
            .limit(Handovers.MOST_OVERLAPS)
            .toList();
    Driver driver = history.driver();
    driver.mapper().map(area.phys() + 200, 10, TO_DEVICE, NONE).close();
    handles.forEach(DmaMapping::close);
    return Evidence.range(driver, area.phys() + 200, 10);
  }

  private static Evidence closeArena(HonestHistory history) {
    Driver driver = history.driver();
    Arena arena = Arena.ofShared();
    MemorySegment bytes = arena.allocate(1 + history.random.nextLong(2 * PAGE));
    DmaMapping mapping = driver.mapper().map(bytes, TO_DEVICE, NONE);
    Evidence evidence = Evidence.range(driver, mapping.dmaAddress(), mapping.length());
    arena.close();
    mapping.close();
    return evidence;
  }

  private static Evidence mapTooMuch(HonestHistory history) {
    Driver driver = history.third();
    Memory area = history.area();
    List<DmaMapping> handles = new ArrayList<>();
    for (int i = 0; i <= HonestHistory.MAX_LIVE; i++) {
      handles.add(driver.mapper().map(area.phys() + 64L * i, 64, TO_DEVICE, NONE));
    }
    Evidence evidence = Evidence.range(driver, handles.getLast().dmaAddress(), 64);
    handles.forEach(DmaMapping::close);
    return evidence;
  }

  private static Evidence leak(HonestHistory history, Kind kind) {
    Live live = history.any(kind, each -> true);
    history.lives.remove(live);
    if (kind != Kind.COHERENT) {
      return Evidence.of(live);
    }
    // Coherent memory comes in pages, of which a pool gives out pieces.
    long first = live.dmaAddress & -PAGE;
    return Evidence.range(live.driver, first, (live.dmaAddress + live.length - 1 | PAGE - 1) + 1 - first);
  }

  private static Evidence forgetBatch(HonestHistory history) {
    Live live = history.any(oneOf(history, Kind.MAPPING, Kind.LINEAR, Kind.RESERVATION), each -> true);
    InvalidationBatch batch = live.driver.mapper().newBatch();
    live.calls.inBatch().accept(batch);
    history.lives.remove(live);
    return Evidence.of(live);
  }
}
