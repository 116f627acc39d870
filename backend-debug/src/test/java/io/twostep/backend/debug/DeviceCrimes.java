package io.twostep.backend.debug;

import io.twostep.backend.debug.Crime.Evidence;
import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Piece;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.IovaReservation;
import java.util.Random;
import java.util.stream.Stream;

/** Where a device can go that it was not sent; the IOMMU refuses each of these accesses. */
final class DeviceCrimes {
  private static final long PAGE = Rig.PAGE;

  private DeviceCrimes() {}

  static Stream<Crime> all() {
    return Stream.of(
        Crime.of(Rule.DEVICE_USED_UNMAPPED, Ground.TRANSLATING, DeviceCrimes::useUnmapped),
        Crime.of(Rule.DEVICE_USED_UNLINKED, Ground.TRANSLATING, DeviceCrimes::useUnlinked),
        Crime.of(Rule.DEVICE_USED_UNSYNCED, Ground.TRANSLATING, DeviceCrimes::useUnsynced),
        Crime.of(Rule.DEVICE_USED_HOLE, Ground.TRANSLATING, DeviceCrimes::useHole),
        Crime.of(Rule.DEVICE_USED_BEYOND_END, Ground.TRANSLATING, DeviceCrimes::runOverEnd),
        Crime.of(Rule.DEVICE_USED_WRONG_DIRECTION, Ground.TRANSLATING, DeviceCrimes::goAgainstDirection),
        Crime.of(Rule.DEVICE_USED_FREED_COHERENT, Ground.TRANSLATING, DeviceCrimes::useFreedCoherent),
        Crime.of(Rule.DEVICE_USED_PHYSICAL_ADDRESS, Ground.TRANSLATING, DeviceCrimes::usePhysical),
        Crime.of(Rule.DEVICE_USED_UNKNOWN_ADDRESS, Ground.TRANSLATING, DeviceCrimes::useNonsense));
  }

  private static Evidence access(HonestHistory history, Driver driver, long address) {
    return access(history, driver, address, history.random.nextBoolean());
  }

  private static Evidence access(HonestHistory history, Driver driver, long address, boolean write) {
    CallerCrimes.refused(
        () -> {
          if (write) {
            driver.device().write(address, new byte[1]);
          } else {
            Rig.ignore(driver.device().read(address, 1));
          }
        });
    return Evidence.range(driver, address, 1);
  }

  private static Kind oneOf(Random random, Kind... kinds) {
    return kinds[random.nextInt(kinds.length)];
  }

  private static Evidence useUnmapped(HonestHistory history) {
    Live live = history.any(oneOf(history.random, Kind.MAPPING, Kind.TRANSFER, Kind.LINEAR, Kind.RESERVATION, Kind.SPARSE), each -> !each.pieces.isEmpty());
    Piece piece = live.pieces.get(history.random.nextInt(live.pieces.size()));
    live.calls.tearDown().run();
    live.calls.close().run();
    history.forget(live);
    return access(history, live.driver, piece.dmaAddress() + history.random.nextLong(piece.length()));
  }

  private static LiveWindow window(HonestHistory history, boolean linked, boolean published) {
    return (LiveWindow)
        history.any(
            oneOf(history.random, Kind.RESERVATION, linked && !published ? Kind.RESERVATION : Kind.SPARSE),
            live -> ((LiveWindow) live).has(linked, published));
  }

  private static Evidence useUnlinked(HonestHistory history) {
    LiveWindow window = window(history, true, true);
    int[] run = window.run(history.random, true, true);
    window.unlink(run, null);
    return access(history, window.driver, window.dmaAddress + run[0] * PAGE + history.random.nextLong(run[1] * PAGE));
  }

  private static Evidence useUnsynced(HonestHistory history) {
    LiveWindow window = window(history, true, false);
    int[] run = window.run(history.random, true, false);
    return access(history, window.driver, window.dmaAddress + run[0] * PAGE + history.random.nextLong(run[1] * PAGE));
  }

  private static Evidence useHole(HonestHistory history) {
    LiveWindow window =
        (LiveWindow)
            history.any(
                oneOf(history.random, Kind.RESERVATION, Kind.SPARSE),
                live -> !((LiveWindow) live).linked.isEmpty() && ((LiveWindow) live).untouched().cardinality() != 0);
    long page = window.untouched().nextSetBit(0);
    return access(history, window.driver, window.dmaAddress + page * PAGE + history.random.nextLong(PAGE));
  }

  private static Evidence runOverEnd(HonestHistory history) {
    // Where nothing else is: all other windows and mappings lie high up.
    Driver driver = history.driver();
    IovaReservation window = driver.mapper().newReservation();
    long length = PAGE * (1 + history.random.nextInt(LiveWindow.PAGES));
    Rig.ignore(window.tryAlloc(0, length, 0, (1L << 28) - 1, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, false));
    window.link(0, history.area().phys(), length);
    window.sync(0, length);
    Evidence evidence = access(history, driver, window.address() + length + history.random.nextLong(1 << 15));
    window.close();
    return evidence;
  }

  private static Evidence goAgainstDirection(HonestHistory history) {
    Kind kind = oneOf(history.random, Kind.MAPPING, Kind.LINEAR, Kind.TRANSFER, Kind.RESERVATION, Kind.SPARSE);
    Live live = history.any(kind, each -> each.direction != DmaDirection.BIDIRECTIONAL && !each.pieces.isEmpty());
    Piece piece = live.pieces.get(history.random.nextInt(live.pieces.size()));
    return access(history, live.driver, piece.dmaAddress() + history.random.nextLong(piece.length()), !live.direction.deviceWrites());
  }

  private static Evidence useFreedCoherent(HonestHistory history) {
    Live live = history.any(Kind.COHERENT, each -> true);
    history.end(live);
    return access(history, live.driver, live.dmaAddress + history.random.nextLong(live.length));
  }

  private static Evidence usePhysical(HonestHistory history) {
    Live live = history.any(oneOf(history.random, Kind.MAPPING, Kind.TRANSFER, Kind.LINEAR), each -> !each.pieces.isEmpty());
    Piece piece = live.pieces.get(history.random.nextInt(live.pieces.size()));
    return access(history, live.driver, live.memory.phys() + piece.at() + history.random.nextLong(piece.length()));
  }

  private static Evidence useNonsense(HonestHistory history) {
    return access(history, history.driver(), (1L << 44) + history.random.nextLong(1L << 43));
  }
}
