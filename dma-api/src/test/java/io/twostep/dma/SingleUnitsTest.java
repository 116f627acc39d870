package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.fake.TranslatingTerminal;
import io.twostep.dma.spi.Revocable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ObjIntConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A unit that comes or goes alone goes a way of its own: whatever fails on it, everybody sees what they would see on the long one. */
class SingleUnitsTest {
  private static final long PAGE = 4096;
  private static final long UNIT_AT = 2 * PAGE;

  /** How the calls below are made to fail, by the first that is to. */
  private static final List<ObjIntConsumer<Rig>> FAILURES =
      List.of((rig, call) -> rig.faults.failAt(call), (rig, call) -> rig.faults.failFrom(call), (rig, call) -> rig.faults.errorAt(call));

  private interface Call {
    void on(Case c);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void aLinkThatFailsAnywhereLeavesWhatALinkOfRangesLeaves(Rig.Kind kind) {
    compare(kind, c -> {}, Case::linkAlone, c -> c.window.link(UNIT_AT, PhysRanges.of(c.block.phys(0), PAGE), TO_DEVICE, null));
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void anUnlinkThatFailsAnywhereLeavesWhatItLeavesAmongUnitsOfABuffer(Rig.Kind kind) {
    compare(kind, Case::linkAlone, Case::unlink, Case::unlink);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  @Tag("breaks:link-overlaps+misaligned-link+not-memory+not-window-units+outside-window+unlink-of-hole")
  void whatIsRefusedIsRefusedInTheSameWords(Rig.Kind kind) {
    for (long offset : new long[] {UNIT_AT, UNIT_AT + 1, -PAGE, 4 * PAGE, Long.MIN_VALUE}) {
      compare(kind, c -> {}, c -> c.window.unlink(offset, PAGE), c -> c.window.unlink(offset, PAGE));
    }
    for (long offset : new long[] {UNIT_AT + 1, -PAGE, 4 * PAGE, Long.MIN_VALUE}) {
      compareLinks(kind, c -> {}, offset, c -> c.block.phys(0));
    }
    compareLinks(kind, Case::linkAlone, UNIT_AT, c -> c.block.phys(0));
    compareLinks(kind, c -> {}, UNIT_AT, c -> c.block.phys(0) + 1);
    compareLinks(kind, c -> {}, UNIT_AT, c -> c.rig.registers.phys(0));
    compareLinks(kind, c -> {}, UNIT_AT, c -> -PAGE);
    compareLinks(kind, c -> c.block.close(), UNIT_AT, c -> c.block.phys(0));
  }

  /** Who takes memory back must find the window that uses it, and not one that has let go. */
  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void memoryThatCanBeTakenBackKnowsTheWindowThatUsesIt(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    Revocable account = new Revocable("lent memory");
    FakeBlock lent = rig.memory.revocableRam(account, 2);
    List<String> told = new ArrayList<>();
    try (SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, TO_DEVICE, NONE)) {
      window.onRevoke(() -> told.add("window"));
      window.link(UNIT_AT, lent.phys(0), PAGE, TO_DEVICE);
      window.link(0, lent.phys(PAGE), PAGE, TO_DEVICE);
      assertThat(account.importers()).hasSize(1);
      window.unlink(UNIT_AT, PAGE);
      assertThat(account.importers()).hasSize(1);
      window.unlink(0, PAGE);
      assertThat(account.importers()).isEmpty();
      window.link(UNIT_AT, lent.phys(0), PAGE, TO_DEVICE);
      account.revoke();
      assertThat(told).containsExactly("window");
      window.unlink(UNIT_AT, PAGE);
      assertThat(account.importers()).isEmpty();
      assertThat(rig.memory.pins()).isZero();
    }
  }

  private interface Address {
    long in(Case c);
  }

  private static void compareLinks(Rig.Kind kind, Call before, long offset, Address phys) {
    compare(
        kind,
        before,
        c -> c.window.link(offset, phys.in(c), PAGE, TO_DEVICE),
        c -> c.window.link(offset, PhysRanges.of(phys.in(c), PAGE), TO_DEVICE, null));
  }

  private static void compare(Rig.Kind kind, Call before, Call alone, Call longWay) {
    for (ObjIntConsumer<Rig> failure : FAILURES) {
      boolean reached = true;
      for (int call = 0; reached; call++) {
        Case expected = new Case(kind, false);
        Case found = new Case(kind, true);
        List<String> story = expected.story(before, longWay, failure, call);
        assertThat(found.story(before, alone, failure, call))
            .as("failure %d of call %d", FAILURES.indexOf(failure), call)
            .isEqualTo(story);
        reached = found.rig.faults.hasFailed();
        assertThat(call).as("calls below").isLessThan(20);
      }
    }
  }

  /** A window, and a buffer that has a unit there, or elsewhere if the window is to know its short way. */
  private static final class Case {
    final Rig rig;
    final FakeBlock block;
    final SparseWindow window;
    private final SparseWindow other;
    private final List<String> told = new ArrayList<>();

    Case(Rig.Kind kind, boolean alone) {
      rig = new Rig(kind);
      if (rig.terminal instanceof TranslatingTerminal terminal) {
        terminal.mayRefuseLate = true;
      }
      block = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
      window = rig.mapper.newWindow(4 * PAGE, PAGE, TO_DEVICE, NONE);
      other = rig.mapper.newWindow(4 * PAGE, PAGE, TO_DEVICE, NONE);
      FakeBlock shared = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
      ImportedBuffer buffer = ExportedBuffer.of(rig.machine, "frame", shared.ranges(), TO_DEVICE).attach(rig.mapper, () -> {});
      (alone ? other : window).link(0, buffer, 0, PAGE, TO_DEVICE, null);
    }

    void linkAlone() {
      window.link(UNIT_AT, block.phys(0), PAGE, TO_DEVICE);
    }

    void unlink() {
      window.unlink(UNIT_AT, PAGE);
    }

    /** Tell what everybody sees when a call fails, and afterwards. */
    List<String> story(Call before, Call call, ObjIntConsumer<Rig> failure, int failing) {
      before.on(this);
      failure.accept(rig, failing);
      tell(() -> call.on(this));
      rig.faults.off();
      long invalidations = rig.terminal instanceof TranslatingTerminal terminal ? terminal.invalidations(rig.machine.addressSpaceFor(rig.slot)) : 0;
      told.add("invalidations " + invalidations);
      told.add("linked " + window.isLinked(UNIT_AT) + ", device reaches " + rig.reached(window.address() + UNIT_AT, 0));
      told.add("again");
      tell(window.isLinked(UNIT_AT) ? this::unlink : this::linkAlone);
      rig.mapper.releaseQuarantined();
      told.add("after a reset " + rig.accounts());
      other.close();
      tell(window::close);
      return told;
    }

    private void tell(Runnable call) {
      try {
        call.run();
        told.add("done");
      } catch (RuntimeException | AssertionError e) {
        told.add(e + Arrays.toString(e.getSuppressed()));
      }
      told.add(rig.accounts());
    }
  }
}
