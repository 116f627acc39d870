package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.tck.FaultPlan.Call;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Rules E15: what devices wrote is told, all of it and no more, until it was asked for. */
public interface DirtyRules extends TckFixture {
  /** Units of the window that is written to. */
  int UNITS = 16;

  /** E15a. */
  @Test
  default void e15aWritesAreToldUntilTheyAreClearedAndNothingElseIs() {
    if (!requireTracking()) {
      return;
    }
    try (IovaReservation window = scatteredWindow()) {
      long unit = window.length() / UNITS;
      rig().device().write(window.address() + unit, new byte[8]);
      DirtyTracking tracking = rig().mapper().dirtyTracking();
      tracking.start();
      DirtyBitmap dirty = bitmap(window, tracking);
      tracking.readAndClear(dirty);
      assertThat(dirty.dirtyPages()).as("pages written before tracking started").isZero();
      long at = window.address() + 3 * unit + 64;
      rig().device().write(at, new byte[8]);
      rig().device().read(window.address() + 5 * unit, 64);
      for (int i = 0; i < 2; i++) {
        tracking.read(dirty);
        assertOnly(dirty, at, tracking.granularity(), unit, "read " + i);
        dirty.clear();
      }
      tracking.readAndClear(dirty);
      assertOnly(dirty, at, tracking.granularity(), unit, "the read that clears");
      dirty.clear();
      tracking.readAndClear(dirty);
      assertThat(dirty.dirtyPages()).as("pages told again").isZero();
      rig().device().write(at, new byte[8]);
      tracking.stop();
      tracking.start();
      tracking.read(dirty);
      assertThat(dirty.dirtyPages()).as("pages of the tracking before").isZero();
      tracking.stop();
    }
  }

  private static void assertOnly(DirtyBitmap dirty, long address, long granularity, long unit, String what) {
    assertThat(dirty.isDirty(address)).as("%s: the page written to", what).isTrue();
    assertThat(dirty.dirtyPages() * dirty.pageSize()).as("%s: bytes reported, links being of one unit", what).isBetween(granularity, Math.max(granularity, unit));
  }

  /** E15b. */
  @Test
  default void e15bTakingAMappingOutKeepsItsMarks() {
    if (!requireTracking()) {
      return;
    }
    int length = (int) Math.max(rounded(6000), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length);
    DirtyTracking tracking = rig().mapper().dirtyTracking();
    tracking.start();
    try (IovaReservation window = scatteredWindow()) {
      long unit = window.length() / UNITS;
      long unlinked = window.address() + 2 * unit;
      long destroyed = window.address() + 7 * unit;
      rig().device().write(unlinked, new byte[8]);
      window.unlink(2 * unit, unit);
      rig().device().write(destroyed, new byte[8]);
      DirtyBitmap dirty = bitmap(window, tracking);
      window.destroy();
      rig().mapper().awaitQuiescence();
      tracking.readAndClear(dirty);
      assertThat(dirty.isDirty(unlinked)).as("what was written before unlink").isTrue();
      assertThat(dirty.isDirty(destroyed)).as("what was written before destroy").isTrue();
      assertThat(dirty.isDirty(unlinked + unit)).as("what was not written").isFalse();
    }
    DmaMapping mapping = rig().map(block, 0, length, DmaDirection.FROM_DEVICE);
    long at = mapping.dmaAddress();
    rig().device().write(at, new byte[8]);
    mapping.close();
    rig().mapper().awaitQuiescence();
    long page = tracking.granularity();
    DirtyBitmap dirty = new DirtyBitmap(at & -page, page, page);
    tracking.read(dirty);
    assertThat(dirty.isDirty(at)).as("what was written before unmap, staged or not").isTrue();
    tracking.stop();
  }

  /** E15c. */
  @Test
  default void e15cNoWriteIsEverLost() {
    if (!requireTracking()) {
      return;
    }
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    SplittableRandom random = new SplittableRandom(seed);
    DirtyTracking tracking = rig().mapper().dirtyTracking();
    try (IovaReservation window = scatteredWindow()) {
      tracking.start();
      long unit = window.length() / UNITS;
      DirtyBitmap dirty = bitmap(window, tracking);
      TreeSet<Integer> written = new TreeSet<>();
      for (int round = 0; round < 400 * TckScale.factor(); round++) {
        for (int i = random.nextInt(6); i > 0; i--) {
          int at = random.nextInt(UNITS);
          rig().device().write(window.address() + at * unit + random.nextInt(64), new byte[8]);
          written.add(at);
        }
        boolean clears = random.nextBoolean();
        dirty.clear();
        if (clears) {
          tracking.readAndClear(dirty);
        } else {
          tracking.read(dirty);
        }
        for (int at = 0; at < UNITS; at++) {
          assertThat(dirty.isDirty(window.address() + at * unit))
              .as("unit %d in round %d, -Dtwostep.seed=%d", at, round, seed)
              .isEqualTo(written.contains(at));
        }
        if (clears) {
          written.clear();
        }
      }
      tracking.stop();
    }
  }

  /** E15d. */
  @Test
  default void e15dMarksSurviveAReadThatFails() {
    if (!requireTracking()) {
      return;
    }
    try (IovaReservation window = scatteredWindow()) {
      DirtyTracking tracking = rig().mapper().dirtyTracking();
      tracking.start();
      DirtyBitmap dirty = bitmap(window, tracking);
      rig().device().write(window.address(), new byte[8]);
      rig().machine().faults().arm(Call.INVALIDATE, 1);
      DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, () -> tracking.readAndClear(dirty));
      rig().machine().faults().disarm();
      assertThat(refusal).as("a read that could not invalidate").isNotNull();
      assertThat(refusal.reason()).isEqualTo(Reason.QUARANTINED);
      assertThat(dirty.dirtyPages()).as("pages told by a read that failed").isZero();
      tracking.readAndClear(dirty);
      assertThat(dirty.isDirty(window.address())).as("the mark after a read that failed").isTrue();
      rig().device().write(window.address(), new byte[8]);
      dirty.clear();
      tracking.readAndClear(dirty);
      assertThat(dirty.isDirty(window.address())).as("a write after a read that failed").isTrue();
      tracking.stop();
    }
  }

  /** E15e. */
  @Test
  default void e15eOneTrackingAtATime() {
    if (!requireTracking()) {
      return;
    }
    DirtyTracking first = rig().mapper().dirtyTracking();
    DirtyTracking second = rig().attach(rig().slot()).dirtyTracking();
    first.start();
    assertThatThrownBy(second::start).as("two readers would clear each other's marks").isInstanceOf(IllegalStateException.class);
    assertThat(first.isTracking()).isTrue();
    first.stop();
    second.start();
    second.stop();
  }

  /** E15f. */
  @Test
  default void e15fMappersOfOneAddressSpaceTrackTogetherUntilTheLastStops() {
    if (!requireTracking()) {
      return;
    }
    DirtyTracking first = rig().mapper().dirtyTracking();
    DirtyTracking second = rig().attach(rig().slot()).dirtyTracking();
    assertThat(second.tryJoin(first)).as("joins what is not on").isFalse();
    try (IovaReservation window = scatteredWindow()) {
      first.start();
      assertThat(second.tryJoin(first)).as("joins").isTrue();
      assertThatThrownBy(() -> second.tryJoin(first)).as("joins twice").isInstanceOf(IllegalStateException.class);
      rig().device().write(window.address(), new byte[8]);
      first.stop();
      DirtyBitmap dirty = bitmap(window, second);
      second.readAndClear(dirty);
      assertThat(dirty.isDirty(window.address())).as("a write before the one that started it stopped").isTrue();
      rig().device().write(window.address(), new byte[8]);
      dirty.clear();
      second.readAndClear(dirty);
      assertThat(dirty.isDirty(window.address())).as("a write after the one that started it stopped").isTrue();
      assertThat(first.tryJoin(second)).as("joins again").isTrue();
      second.stop();
      first.stop();
      assertThat(second.tryJoin(first)).as("joins after the last has stopped").isFalse();
    }
  }

  /** Tells whether the stack tracks; one that does not must say so. */
  private boolean requireTracking() {
    boolean tracks = has(Behavior.TRACKS_WRITES);
    assertThat(rig().mapper().limits().dirtyTracking()).as("what the limits say of tracking").isEqualTo(tracks);
    if (!tracks) {
      assertThatThrownBy(() -> rig().mapper().dirtyTracking())
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
    }
    return tracks;
  }

  /** Returns a window whose units are linked to memory in the opposite order, so that no two share a leaf. */
  private IovaReservation scatteredWindow() {
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit * UNITS);
    IovaReservation window = rig().mapper().newReservation();
    window.tryAlloc(block.phys(0), unit * UNITS, DmaDirection.BIDIRECTIONAL, 0);
    for (int i = 0; i < UNITS; i++) {
      window.link(i * unit, block.phys((UNITS - 1 - i) * unit), unit);
    }
    window.sync(0, unit * UNITS);
    return window;
  }

  private static DirtyBitmap bitmap(IovaReservation window, DirtyTracking tracking) {
    return new DirtyBitmap(window.address(), window.length(), Math.min(tracking.granularity(), window.length() / UNITS));
  }
}
