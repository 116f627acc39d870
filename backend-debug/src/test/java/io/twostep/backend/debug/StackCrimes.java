package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaAttributes.REQUIRE_COHERENT;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;

import io.twostep.backend.debug.BrokenLayer.Fault;
import io.twostep.backend.debug.Crime.Evidence;
import io.twostep.backend.debug.Live.Kind;
import io.twostep.backend.debug.Live.Memory;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import io.twostep.machine.model.ProbeDevice;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/** What layers below and above the checker can do wrong. Nothing goes on after it: a broken stack goes on breaking. */
final class StackCrimes {
  private static final long PAGE = Rig.PAGE;
  private static final int READ = MapFlags.DEVICE_READS;
  private static final Set<Ground> GUARDED = EnumSet.of(Ground.UNTRUSTED);
  private static final Set<Ground> BLIND = EnumSet.of(Ground.NON_COHERENT);

  /** Where a second attach of the terminal needs no layer between. */
  private static final Set<Ground> PLAIN = EnumSet.of(Ground.TRANSLATED, Ground.PEERS);

  private StackCrimes() {}

  static Stream<Crime> all() {
    return Stream.of(
        below(Rule.BELOW_NOT_CONGRUENT, Ground.TRANSLATING, Fault.SHIFTED_ADDRESS, StackCrimes::map),
        below(Rule.BELOW_OUT_OF_REACH, Ground.ALL, Fault.FAR_ADDRESS, StackCrimes::map),
        below(Rule.BELOW_WRONG_LENGTH, Ground.ALL, Fault.WRONG_LENGTH, StackCrimes::map),
        below(Rule.BELOW_ALLOCATED_TOO_LITTLE, Ground.TRANSLATING, Fault.TOO_LITTLE, StackCrimes::map),
        below(Rule.BELOW_CLEARED_FLAGS, Ground.ALL, Fault.DROPPED_FLAGS, StackCrimes::map),
        below(Rule.BELOW_IGNORED_COHERENCE, PLAIN, Fault.CLAIMS_SYNC, StackCrimes::mapCoherent),
        below(Rule.BELOW_NO_SYNC_ASKED, BLIND, Fault.FORGETS_SYNC, StackCrimes::map),
        below(Rule.BELOW_WRONG_EXCEPTION, Ground.ALL, Fault.WRONG_EXCEPTION, StackCrimes::mapInVain),
        below(Rule.BELOW_GEOMETRY_CHANGED, Ground.ALL, Fault.OTHER_GRANULE, StackCrimes::mapOnOtherGround),
        below(Rule.BELOW_RESERVED_ADDRESS, Ground.TRANSLATING, Fault.SAME_ADDRESS, StackCrimes::mapAtReserved),
        below(Rule.BELOW_ADDRESS_TAKEN, Ground.TRANSLATING, Fault.SAME_ADDRESS, StackCrimes::mapAtTaken),
        below(Rule.BELOW_ADDRESS_REUSED_EARLY, Ground.TRANSLATING, Fault.SAME_ADDRESS, StackCrimes::mapAtWaiting),
        below(Rule.BELOW_ADDRESS_REUSED_EARLY, Ground.DEFERRING, Fault.SAME_ADDRESS, StackCrimes::mapAtUnflushed),
        below(Rule.BELOW_PHYS_WRONG, Ground.TRANSLATING, Fault.WRONG_PHYS, StackCrimes::linkPage),
        below(Rule.BELOW_STILL_LINKED, Ground.TRANSLATING, Fault.STILL_LINKED, StackCrimes::unlinkPage),
        below(Rule.UNLINK_SPLITS, Ground.TRANSLATING, Fault.CANNOT_SPLIT, StackCrimes::unlinkInVain),
        below(Rule.BELOW_ACCEPTED_MISUSE, Ground.TRANSLATING, Fault.ACCEPTS_OVERLAP, StackCrimes::linkTwice),
        below(Rule.BELOW_CHANGED_ON_FAILURE, Ground.TRANSLATING, Fault.CHANGED_ON_FAILURE, StackCrimes::linkInVain),
        below(Rule.BELOW_CHANGED_ON_FAILURE, Ground.DEFERRING, Fault.UNMAPS_AND_THROWS, StackCrimes::unmapInVain),
        below(Rule.BELOW_TRANSLATION_LOST, Ground.TRANSLATING, Fault.LOSES_TRANSLATION, StackCrimes::useLost),
        below(Rule.BELOW_BAD_KIND, Ground.PEERING, Fault.BAD_KIND, StackCrimes::classify),
        below(Rule.BELOW_BAD_GEOMETRY, Ground.ALL, Fault.BAD_UNIT, StackCrimes::attach),
        below(Rule.BELOW_UNTRUSTED_UNTRANSLATED, GUARDED, Fault.DENIES_TRANSLATION, StackCrimes::attach),
        below(Rule.BELOW_EXPOSED_NEIGHBOURS, GUARDED, Fault.EXPOSES_EDGES, StackCrimes::map),
        below(Rule.STATE_WORD_OVERWRITTEN, Ground.ALL, Fault.OVERWRITES_WORD, StackCrimes::tearDownOverwritten),
        above(Rule.STATE_REUSED, StackCrimes::reuseState),
        above(Rule.STATE_UNKNOWN, StackCrimes::useUnknownState),
        above(Rule.WRONG_TEARDOWN, StackCrimes::unmapWindow),
        above(Rule.DIRECTION_CHANGED, StackCrimes::changeDirection),
        above(Rule.RETIRED_OUT_OF_ORDER, StackCrimes::retireUnasked));
  }

  private static Crime below(Rule rule, Set<Ground> grounds, Fault fault, Crime.Deed deed) {
    return new Crime(rule, grounds, fault, deed);
  }

  /** A page of memory that nothing maps, mapped by a random device once the fault has begun. */
  private static Evidence map(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    long from = history.random.nextLong(PAGE);
    long length = 1 + history.random.nextLong(PAGE - 1);
    history.broken.begin();
    DmaMapping mapping = driver.mapper().map(area.phys() + from, length, BIDIRECTIONAL, NONE);
    return Evidence.range(driver, mapping.dmaAddress(), length);
  }

  private static Evidence mapCoherent(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    history.broken.begin();
    DmaMapping mapping = driver.mapper().map(area.phys(), PAGE, TO_DEVICE, REQUIRE_COHERENT);
    return Evidence.range(driver, mapping.dmaAddress(), PAGE);
  }

  private static Evidence mapInVain(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    history.broken.begin();
    CallerCrimes.refused(() -> driver.mapper().map(area.phys(), PAGE, TO_DEVICE, NONE));
    return Evidence.none(driver);
  }

  private static Evidence mapOnOtherGround(HonestHistory history) {
    Driver driver = history.driver();
    Memory area = history.area();
    history.broken.begin();
    Rig.ignore(driver.mapper().map(area.phys(), PAGE, TO_DEVICE, NONE));
    return Evidence.none(driver);
  }

  private static Evidence mapAt(HonestHistory history, long address) {
    Driver driver = history.driver();
    Memory area = history.area();
    history.broken.answerAddress(address);
    history.broken.begin();
    Rig.ignore(driver.mapper().map(area.phys(), PAGE, TO_DEVICE, NONE));
    return Evidence.range(driver, address, PAGE);
  }

  private static Evidence mapAtReserved(HonestHistory history) {
    return mapAt(history, history.rig.machine.addressSpaceFor(history.rig.slot).reserved().getFirst().first());
  }

  private static Evidence mapAtTaken(HonestHistory history) {
    Live live = history.any(List.of(Kind.MAPPING, Kind.RESERVATION, Kind.SPARSE, Kind.COHERENT).get(history.random.nextInt(4)), each -> each.driver == history.drivers.getFirst());
    return mapAt(history, live.dmaAddress & -PAGE);
  }

  private static Evidence mapAtWaiting(HonestHistory history) {
    Live live = history.any(history.random.nextBoolean() ? Kind.MAPPING : Kind.RESERVATION, each -> each.driver == history.drivers.getFirst());
    live.calls.inBatch().accept(live.driver.mapper().newBatch());
    return mapAt(history, live.dmaAddress & -PAGE);
  }

  private static Evidence mapAtUnflushed(HonestHistory history) {
    DmaMapping mapping = history.drivers.getFirst().mapper().map(history.area().phys(), PAGE, TO_DEVICE, NONE);
    long address = mapping.dmaAddress();
    mapping.close();
    return mapAt(history, address);
  }

  /** The addresses are flushed, and another mapping's, before the teardown throws. */
  private static Evidence unmapInVain(HonestHistory history) {
    Driver driver = history.drivers.getFirst();
    long length = 1 + history.random.nextLong(PAGE);
    DmaMapping mapping = driver.mapper().map(history.area().phys(), length, TO_DEVICE, NONE);
    long address = mapping.dmaAddress();
    history.broken.meanwhile(
        () -> {
          driver.mapper().awaitQuiescence();
          mapAt(history, address);
        });
    history.broken.begin();
    CallerCrimes.refused(mapping::close);
    return Evidence.range(driver, address, length);
  }

  /** A window in which nothing is linked but one page, at a random place. */
  private static IovaReservation window(Driver driver, Memory area, long offset) {
    IovaReservation window = driver.mapper().newReservation();
    Rig.ignore(window.tryAlloc(0, HonestHistory.AREA, TO_DEVICE, NONE));
    if (offset >= 0) {
      window.link(offset, area.phys() + offset, PAGE);
    }
    return window;
  }

  private static long page(HonestHistory history) {
    return history.random.nextInt(LiveWindow.PAGES - 1) * PAGE;
  }

  private static Evidence linkPage(HonestHistory history) {
    Driver driver = history.driver();
    long offset = page(history);
    IovaReservation window = window(driver, history.area(), -1);
    history.broken.begin();
    window.link(offset, history.area().phys(), PAGE);
    return Evidence.range(driver, window.address() + offset, 1);
  }

  private static Evidence unlinkPage(HonestHistory history) {
    Driver driver = history.driver();
    long offset = page(history);
    IovaReservation window = window(driver, history.area(), offset);
    history.broken.begin();
    window.unlink(offset, PAGE);
    return Evidence.range(driver, window.address() + offset, PAGE);
  }

  private static Evidence unlinkInVain(HonestHistory history) {
    Driver driver = history.driver();
    long offset = page(history);
    IovaReservation window = window(driver, history.area(), offset);
    history.broken.begin();
    CallerCrimes.refused(() -> window.unlink(offset, PAGE));
    return Evidence.range(driver, window.address() + offset, PAGE);
  }

  /** The caller's part in it is reported first; the deed filters it out. */
  private static Evidence linkTwice(HonestHistory history) {
    Driver driver = history.driver();
    long offset = page(history);
    IovaReservation window = window(driver, history.area(), offset);
    history.broken.begin();
    window.link(offset, history.area().phys(), PAGE);
    return Evidence.range(driver, window.address() + offset, PAGE);
  }

  private static Evidence linkInVain(HonestHistory history) {
    Driver driver = history.driver();
    long offset = page(history);
    IovaReservation window = window(driver, history.area(), -1);
    history.broken.begin();
    CallerCrimes.refused(() -> window.link(offset, history.area().phys(), PAGE));
    return Evidence.range(driver, window.address() + offset, PAGE);
  }

  private static Evidence useLost(HonestHistory history) {
    LiveWindow window =
        (LiveWindow) history.any(Kind.SPARSE, live -> live.direction.deviceReads() && ((LiveWindow) live).has(true, true));
    long offset = window.published.nextSetBit(0) * PAGE;
    history.broken.begin();
    window.sparse().protect(offset, PAGE, window.direction);
    CallerCrimes.refused(() -> Rig.ignore(window.driver.device().read(window.dmaAddress + offset + 5, 1)));
    return Evidence.range(window.driver, window.dmaAddress + offset + 5, 1);
  }

  private static Evidence classify(HonestHistory history) {
    Driver driver = history.driver();
    long phys = history.peers.getFirst().phys();
    history.broken.begin();
    CallerCrimes.refused(() -> driver.mapper().map(phys, PAGE, TO_DEVICE, NONE));
    return Evidence.range(driver, phys, PAGE);
  }

  private static Evidence attach(HonestHistory history) {
    history.broken.begin();
    Driver third = history.third();
    return Evidence.none(third);
  }

  private static Evidence tearDownOverwritten(HonestHistory history) {
    history.broken.begin();
    Driver driver = history.driver();
    DmaMapping mapping = driver.mapper().map(history.area().phys(), PAGE, TO_DEVICE, NONE);
    Evidence evidence = Evidence.range(driver, mapping.dmaAddress(), PAGE);
    history.broken.overwrite();
    mapping.close();
    return evidence;
  }

  /** Calls a checker directly that lies above the terminal, as a layer above would. */
  private static Crime above(Rule rule, BiConsumer<Caller, HonestHistory> deed) {
    return Crime.of(
        rule,
        PLAIN,
        history -> {
          Caller caller = Caller.of(history);
          deed.accept(caller, history);
          return caller.evidence;
        });
  }

  /** A layer above the checker that has a state. */
  private static final class Caller {
    final DmaOps ops;
    final MappingState state = new MappingState(1);
    final Retirement batch = new Retirement();
    final long phys;
    private final Driver driver;
    Evidence evidence;

    private Caller(Driver driver, DmaOps ops, long phys) {
      this.driver = driver;
      this.ops = ops;
      this.phys = phys;
      evidence = Evidence.none(driver);
    }

    static Caller of(HonestHistory history) {
      ProbeDevice device = new ProbeDevice();
      DeviceSlot slot = history.rig.plug(Ground.THIRD, device);
      AttachContext context = new AttachContext(history.rig.machine, slot, history.rig.machine.addressSpaceFor(slot), DeviceLimits.UNLIMITED, 0);
      DmaOps ops = history.rig.checker.attach(context, history.rig.terminal.attach(context));
      return new Caller(new Driver(Ground.THIRD, device, history.rig.mapper), ops, history.area().phys());
    }

    void reserve() {
      ops.reserve(state, 0, 4 * PAGE, 0, -1L, READ);
      names(state.dmaAddress, 4 * PAGE);
    }

    void names(long first, long length) {
      evidence = Evidence.range(driver, first, length);
    }
  }

  private static void reuseState(Caller caller, HonestHistory history) {
    caller.ops.map(caller.state, caller.phys, PAGE, READ, caller.batch);
    caller.names(caller.state.dmaAddress, PAGE);
    caller.ops.map(caller.state, caller.phys + PAGE, PAGE, READ, caller.batch);
  }

  private static void useUnknownState(Caller caller, HonestHistory history) {
    caller.reserve();
    caller.ops.release(caller.state, caller.batch);
    caller.batch.complete();
    if (history.random.nextBoolean()) {
      caller.ops.publish(caller.state, 0, PAGE, caller.batch);
    } else {
      caller.ops.sync(caller.state, 0, PAGE, DmaOps.TOWARD_CPU);
    }
  }

  private static void unmapWindow(Caller caller, HonestHistory history) {
    caller.reserve();
    caller.ops.unmap(caller.state, caller.batch);
  }

  private static void changeDirection(Caller caller, HonestHistory history) {
    caller.reserve();
    long page = history.random.nextInt(4) * PAGE;
    caller.ops.link(caller.state, page, caller.phys, PAGE, MapFlags.ACCESS, caller.batch);
    caller.names(caller.state.dmaAddress + page, PAGE);
  }

  private static void retireUnasked(Caller caller, HonestHistory history) {
    caller.ops.retire(Retirement.TABLES, -1 - history.random.nextInt(100), 0, 0);
  }
}
