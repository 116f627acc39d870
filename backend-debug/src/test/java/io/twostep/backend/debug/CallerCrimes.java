package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.Crime.Evidence;
import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Memory;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaPool;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.tck.Ranges;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** What a driver can do wrong with handles and ranges; all of it is refused, and changes nothing. */
final class CallerCrimes {
  private static final long PAGE = Rig.PAGE;
  private static final Predicate<Live> ANY = live -> true;

  private CallerCrimes() {}

  static Stream<Crime> all() {
    return Stream.of(
        Crime.of(Rule.MAPPED_TWICE, Ground.ALL, CallerCrimes::mapAgain),
        Crime.of(Rule.NEVER_MAPPED, Ground.ALL, CallerCrimes::useFreshHandle),
        Crime.of(Rule.TORN_DOWN_TWICE, Ground.ALL, CallerCrimes::tearDownTwice),
        Crime.of(Rule.TORN_DOWN_TWICE, Ground.ALL, CallerCrimes::freePieceTwice),
        Crime.of(Rule.USED_AFTER_TEARDOWN, Ground.ALL, CallerCrimes::useAfterTeardown),
        Crime.of(Rule.USED_AFTER_CLOSE, Ground.ALL, CallerCrimes::useAfterClose),
        Crime.of(Rule.USED_BY_TWO_THREADS, Ground.ALL, CallerCrimes::useFromTwoThreads),
        Crime.of(Rule.FREED_WHILE_LINKED, Ground.TRANSLATING, CallerCrimes::freeLinkedWindow),
        Crime.of(Rule.EMPTY_RANGE, Ground.ALL, CallerCrimes::emptyRange),
        Crime.of(Rule.RANGE_WRAPS, Ground.ALL, CallerCrimes::wrap),
        Crime.of(Rule.UNKNOWN_ATTRIBUTES, Ground.ALL, CallerCrimes::unknownAttributes),
        Crime.of(Rule.OUTSIDE_MAPPING, Ground.ALL, CallerCrimes::leaveMapping),
        Crime.of(Rule.OUTSIDE_WINDOW, Ground.TRANSLATING, CallerCrimes::leaveWindow),
        Crime.of(Rule.MISALIGNED_LINK, Ground.TRANSLATING, CallerCrimes::misalignLink),
        Crime.of(Rule.MISALIGNED_UNLINK, Ground.TRANSLATING, CallerCrimes::misalignUnlink),
        Crime.of(Rule.NOT_WINDOW_UNITS, Ground.TRANSLATING, CallerCrimes::cutUnits),
        Crime.of(Rule.ACCESS_WIDENED, Ground.TRANSLATING, CallerCrimes::widenAccess),
        Crime.of(Rule.BUS_ADDRESS_LINKED, Ground.PEERING, CallerCrimes::linkBusAddress),
        Crime.of(Rule.NOT_MEMORY, Ground.ALL, CallerCrimes::mapNothing),
        Crime.of(Rule.FREED_MEMORY, Ground.ALL, CallerCrimes::mapFreedMemory),
        Crime.of(Rule.SOURCE_CHANGED, Ground.TRANSLATING, CallerCrimes::changeSource),
        Crime.of(Rule.LINK_OVERLAPS, Ground.TRANSLATING, CallerCrimes::linkOverLink),
        Crime.of(Rule.UNLINK_OF_HOLE, Ground.TRANSLATING, CallerCrimes::unlinkHole),
        Crime.of(Rule.PROTECT_OF_HOLE, Ground.TRANSLATING, CallerCrimes::protectHole));
  }

  /** Do what must be refused. */
  static void refused(Runnable deed) {
    assertThatThrownBy(deed::run).isInstanceOf(RuntimeException.class);
  }

  private static Kind pick(HonestHistory history, Kind... kinds) {
    List<Kind> possible = Stream.of(kinds).filter(history.kinds()::contains).toList();
    return possible.get(history.random.nextInt(possible.size()));
  }

  private static Evidence mapAgain(HonestHistory history) {
    Live live = history.any(pick(history, Kind.MAPPING, Kind.FOREIGN, Kind.LINEAR, Kind.RESERVATION), ANY);
    refused(live.calls.again());
    return Evidence.of(live);
  }

  private static Evidence useFreshHandle(HonestHistory history) {
    Driver driver = history.driver();
    refused(
        switch (history.random.nextInt(5)) {
          case 0 -> driver.mapper().newMapping()::unmap;
          case 1 -> driver.mapper().newMapping()::dmaAddress;
          case 2 -> driver.mapper().newTransfer()::unmap;
          case 3 -> () -> driver.mapper().newLinear().syncForCpu(0, 1);
          default -> driver.mapper().newReservation()::free;
        });
    return Evidence.none(driver);
  }

  /** Return a handle that was torn down once, and is the history's business no more. */
  private static Live tornDown(HonestHistory history) {
    Live live = history.any(pick(history, Kind.MAPPING, Kind.FOREIGN, Kind.LINEAR, Kind.RESERVATION), ANY);
    live.calls.tearDown().run();
    history.forget(live);
    return live;
  }

  private static Evidence tearDownTwice(HonestHistory history) {
    Live live = tornDown(history);
    refused(live.calls.tearDown());
    return Evidence.of(live);
  }

  private static Evidence freePieceTwice(HonestHistory history) {
    Driver driver = history.driver();
    long size = 1L << history.random.nextInt(10);
    try (DmaPool pool = driver.mapper().newPool(size, size)) {
      DmaPool.Element other = pool.allocate();
      DmaPool.Element piece = pool.allocate();
      piece.free();
      refused(piece::free);
      other.free();
      return Evidence.range(driver, piece.dmaAddress(), size);
    }
  }

  private static Evidence useAfterTeardown(HonestHistory history) {
    Live live = tornDown(history);
    refused(() -> live.calls.toCpu().on(0, 1));
    return Evidence.of(live);
  }

  private static Evidence useAfterClose(HonestHistory history) {
    Live live = tornDown(history);
    live.calls.close().run();
    refused(history.random.nextBoolean() ? live.calls.again() : live.calls.tearDown());
    return Evidence.of(live);
  }

  private static Evidence useFromTwoThreads(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    long[] used = new long[1];
    try (DmaTransfer transfer = driver.mapper().newTransfer()) {
      transfer.map(
          new Ranges().add(area.phys(), PAGE),
          TO_DEVICE,
          NONE,
          (address, length, kind) -> {
            used[0] = address;
            refused(() -> CompletableFuture.runAsync(transfer::unmap, Thread.ofPlatform()::start).join());
            return true;
          });
    }
    return Evidence.range(driver, used[0], PAGE);
  }

  private static Evidence freeLinkedWindow(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> !((LiveWindow) live).linked.isEmpty());
    refused(window.reservation()::free);
    return Evidence.of(window);
  }

  private static Evidence emptyRange(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    long length = -history.random.nextLong(3);
    switch (history.random.nextInt(history.ground.translates ? 4 : 2)) {
      case 0 -> refused(() -> driver.mapper().map(area.phys(), length, TO_DEVICE, NONE));
      case 1 -> refused(() -> driver.mapper().newTransfer().map(new Ranges().add(area.phys(), length), TO_DEVICE, NONE, (a, b, c) -> true));
      case 2 -> refused(() -> driver.mapper().newReservation().tryAlloc(area.phys(), length, TO_DEVICE, NONE));
      default -> {
        LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, ANY);
        refused(() -> window.reservation().link(0, area.phys(), length));
        return Evidence.range(window.driver, area.phys(), length);
      }
    }
    return Evidence.range(driver, area.phys(), length);
  }

  private static Evidence wrap(HonestHistory history) {
    Driver driver = history.driver();
    long phys = -PAGE * (1 + history.random.nextInt(8));
    long length = 1 - phys + history.random.nextLong(PAGE);
    if (history.random.nextBoolean()) {
      refused(() -> driver.mapper().map(phys, length, TO_DEVICE, NONE));
    } else {
      refused(() -> driver.mapper().newTransfer().map(new Ranges().add(phys, length), TO_DEVICE, NONE, (a, b, c) -> true));
    }
    return Evidence.range(driver, phys, length);
  }

  private static Evidence unknownAttributes(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    int bit = 1 << 30;
    refused(
        switch (history.random.nextInt(3)) {
          case 0 -> () -> driver.mapper().map(area.phys(), PAGE, TO_DEVICE, bit);
          case 1 -> () -> driver.mapper().newReservation().tryAlloc(0, PAGE, TO_DEVICE, bit);
          default -> () -> driver.mapper().newWindow(PAGE, PAGE, TO_DEVICE, bit);
        });
    return Evidence.none(driver);
  }

  private static Evidence leaveMapping(HonestHistory history) {
    Live live = history.any(pick(history, Kind.MAPPING, Kind.FOREIGN, Kind.LINEAR, Kind.PEER), ANY);
    return leave(history, live);
  }

  private static Evidence leave(HonestHistory history, Live live) {
    long from = history.random.nextLong(live.length + 1);
    long bytes = live.length - from + 1 + history.random.nextLong(PAGE);
    refused(() -> (history.random.nextBoolean() ? live.calls.toCpu() : live.calls.toDevice()).on(from, bytes));
    return Evidence.range(live.driver, from, bytes);
  }

  private static Evidence leaveWindow(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(pick(history, Kind.RESERVATION, Kind.SPARSE), ANY);
    if (window.reservation == null || history.random.nextBoolean()) {
      return leave(history, window);
    }
    Memory area = history.area();
    long from = window.length - PAGE;
    refused(() -> window.reservation().link(from, area.phys(), 2 * PAGE));
    return Evidence.range(window.driver, from, 2 * PAGE);
  }

  private static Evidence misalignLink(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(pick(history, Kind.RESERVATION, Kind.SPARSE), ANY);
    Memory area = history.area();
    long skew = 1 + history.random.nextLong(PAGE - 1);
    long offset = PAGE * history.random.nextInt(LiveWindow.PAGES - 1);
    if (window.reservation != null) {
      refused(() -> window.reservation().link(offset, area.phys() + skew, PAGE));
    } else {
      refused(() -> window.sparse().link(offset, area.phys() + skew, PAGE, window.direction));
    }
    return Evidence.range(window.driver, offset, PAGE);
  }

  private static Evidence misalignUnlink(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> !((LiveWindow) live).linked.isEmpty());
    long offset = window.linked.nextSetBit(0) * PAGE;
    long bytes = 1 + history.random.nextLong(PAGE - 1);
    refused(() -> window.reservation().unlink(offset, bytes));
    return Evidence.range(window.driver, offset, bytes);
  }

  private static Evidence cutUnits(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.SPARSE, ANY);
    long offset = history.random.nextInt(2) * PAGE;
    long bytes = PAGE + 1 + history.random.nextLong(PAGE - 1);
    refused(
        switch (history.random.nextInt(3)) {
          case 0 -> () -> window.sparse().unlink(offset, bytes);
          case 1 -> () -> window.sparse().protect(offset, bytes, window.direction);
          default -> () -> window.sparse().link(offset, window.memory.phys(), bytes, window.direction);
        });
    return Evidence.range(window.driver, offset, bytes);
  }

  private static Evidence widenAccess(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.SPARSE, live -> live.direction != BIDIRECTIONAL);
    DmaDirection wider = history.random.nextBoolean() ? BIDIRECTIONAL : window.direction == TO_DEVICE ? FROM_DEVICE : TO_DEVICE;
    if (history.random.nextBoolean()) {
      refused(() -> window.sparse().protect(0, PAGE, wider));
    } else {
      refused(() -> window.sparse().link(0, window.memory.phys(), PAGE, wider));
    }
    return Evidence.range(window.driver, 0, window.length);
  }

  private static Evidence linkBusAddress(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.RESERVATION, live -> !((LiveWindow) live).linked.get(0));
    PeerMemory near = history.peers.getFirst();
    refused(() -> window.reservation().link(0, near.phys(), PAGE));
    return Evidence.range(window.driver, near.phys(), PAGE);
  }

  private static Evidence mapNothing(HonestHistory history) {
    Driver driver = history.driver();
    long phys;
    long length = 1 + history.random.nextLong(PAGE);
    if (history.random.nextBoolean()) {
      phys = (1L << 50) + history.random.nextLong(1L << 40);
    } else {
      // From memory that was mapped before over its end.
      MemoryBlock block = history.rig.allocate(PAGE);
      phys = block.phys(0);
      driver.mapper().map(phys, PAGE, TO_DEVICE, NONE).close();
      length += PAGE;
    }
    long bytes = length;
    refused(() -> driver.mapper().map(phys, bytes, TO_DEVICE, NONE));
    return Evidence.range(driver, phys, bytes);
  }

  private static Evidence mapFreedMemory(HonestHistory history) {
    Driver driver = history.driver();
    MemoryBlock block = history.rig.machine.memory().allocate(2 * PAGE, MemoryPlacement.CONTIGUOUS);
    long phys = block.phys(0) + history.random.nextLong(PAGE);
    driver.mapper().map(block.phys(0), 2 * PAGE, TO_DEVICE, NONE).close();
    block.close();
    refused(() -> driver.mapper().map(phys, PAGE, TO_DEVICE, NONE));
    return Evidence.range(driver, phys, PAGE);
  }

  private static Evidence changeSource(HonestHistory history) {
    Driver driver = history.driver();
    MemoryBlock block = history.rig.allocate(1300 * PAGE);
    int count = 600;
    PhysRanges source = new ShiftingPages(block.phys(0), count);
    DmaTransfer transfer = driver.mapper().newTransfer();
    refused(() -> transfer.map(source, TO_DEVICE, NONE, (a, b, c) -> true));
    return Evidence.range(driver, 0, count * PAGE);
  }

  private static Evidence linkOverLink(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(pick(history, Kind.RESERVATION, Kind.SPARSE), live -> !((LiveWindow) live).linked.isEmpty());
    Memory area = history.area();
    long offset = window.linked.nextSetBit(0) * PAGE;
    if (window.reservation != null) {
      refused(() -> window.reservation().link(offset, area.phys(), PAGE));
    } else {
      refused(() -> window.sparse().link(offset, area.phys(), PAGE, window.direction));
    }
    return Evidence.range(window.driver, window.dmaAddress + offset, PAGE);
  }

  private static Evidence unlinkHole(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(pick(history, Kind.RESERVATION, Kind.SPARSE), live -> ((LiveWindow) live).linked.nextClearBit(0) < LiveWindow.PAGES);
    long hole = window.linked.nextClearBit(0) * PAGE;
    if (window.reservation != null) {
      refused(() -> window.reservation().unlink(0, hole + PAGE));
      return Evidence.range(window.driver, window.dmaAddress, hole + PAGE);
    }
    refused(() -> window.sparse().unlink(0, hole + PAGE));
    return Evidence.range(window.driver, hole, PAGE);
  }

  private static Evidence protectHole(HonestHistory history) {
    LiveWindow window = (LiveWindow) history.any(Kind.SPARSE, live -> ((LiveWindow) live).linked.nextClearBit(0) < LiveWindow.PAGES);
    long hole = window.linked.nextClearBit(0) * PAGE;
    refused(() -> window.sparse().protect(0, hole + PAGE, window.direction));
    return Evidence.range(window.driver, hole, PAGE);
  }
}
