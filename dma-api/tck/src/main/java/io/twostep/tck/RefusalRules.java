package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E12: what cannot work is refused at the door, with its reason, and changes nothing. */
public interface RefusalRules extends TckFixture {
  /** After so many requests in a row a backend is taken to keep what it keeps for a handle's next one. */
  int SETTLING = 12;

  /** E12a. */
  @Test
  default void e12aFullAddressSpaceIsRetryableAndRoomComesBack() {
    needs(Behavior.TRANSLATES);
    TckRig small = open(setup().withLimits(DeviceLimits.ofBits(26)));
    long size = 4 << 20;
    List<IovaReservation> windows = new ArrayList<>();
    DmaMappingException refusal = null;
    while (refusal == null && windows.size() < 64) {
      IovaReservation window = small.mapper().newReservation();
      windows.add(window);
      refusal = Assertions.catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, size, DmaDirection.TO_DEVICE, 0));
    }
    requireRetryable(refusal, Reason.IOVA_EXHAUSTED);
    windows.getFirst().destroy();
    small.mapper().awaitQuiescence();
    windows.getLast().tryAlloc(0, size, DmaDirection.TO_DEVICE, 0);
    windows.forEach(IovaReservation::close);
  }

  /** E12n. */
  @Test
  default void e12nAddressesThatIdleHandlesKeepAreThereForOthers() {
    needs(Behavior.TRANSLATES);
    TckRig small = open(setup().withLimits(DeviceLimits.ofBits(26)));
    long size = Math.max(512 << 10, unitOf(small));
    List<IovaReservation> idle = reserveAll(small, size);
    int most = idle.size();
    idle.forEach(IovaReservation::destroy);
    small.mapper().awaitQuiescence();
    settle(small, idle, size);
    try (IovaReservation large = small.mapper().newReservation()) {
      assertThat(large.tryAlloc(0, 8 << 20, DmaDirection.TO_DEVICE, 0)).as("a window of another size beside %d idle handles", most).isTrue();
    }
    settle(small, idle, size);
    List<IovaReservation> others = reserveAll(small, size);
    assertThat(others).as("windows beside %d idle handles that had the whole address space in turn", most).hasSizeGreaterThanOrEqualTo(most);
    others.forEach(IovaReservation::close);
    idle.forEach(IovaReservation::close);
    for (int i = 0; i < 2 * most; i++) {
      IovaReservation passing = small.mapper().newReservation();
      settle(small, List.of(passing), size);
      passing.close();
    }
    others = reserveAll(small, size);
    assertThat(others).as("windows once %d handles came and went", 2 * most).hasSizeGreaterThanOrEqualTo(most);
    others.forEach(IovaReservation::close);
  }

  /** Have idle handles reserve and let go so often that a terminal which keeps addresses for them does. */
  private static void settle(TckRig rig, List<IovaReservation> idle, long size) {
    for (int round = 0; round < SETTLING; round++) {
      idle.forEach(window -> window.tryAlloc(0, size, DmaDirection.TO_DEVICE, 0));
      idle.forEach(IovaReservation::destroy);
      rig.mapper().awaitQuiescence();
    }
  }

  /** Reserve until the address space is full. */
  private static List<IovaReservation> reserveAll(TckRig rig, long size) {
    List<IovaReservation> windows = new ArrayList<>();
    DmaMappingException refusal = null;
    while (refusal == null && windows.size() < 1000) {
      IovaReservation window = rig.mapper().newReservation();
      refusal = Assertions.catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, size, DmaDirection.TO_DEVICE, 0));
      if (refusal == null) {
        windows.add(window);
      } else {
        window.close();
      }
    }
    requireRetryable(refusal, Reason.IOVA_EXHAUSTED);
    return windows;
  }

  /** E12b. */
  @Test
  @Tag("breaks:device-used-hole+link-overlaps")
  default void e12bOccupiedGranuleIsRefusedAndKeepsWhatItHas() {
    needs(Behavior.TRANSLATES);
    long unit = linkUnit();
    MemoryBlock block = rig().memory(unit * 8);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(0), unit * 6, DmaDirection.BIDIRECTIONAL, 0);
      window.link(2 * unit, block.phys(2 * unit), unit);
      refuses(Reason.ALREADY_LINKED, () -> window.link(2 * unit, block.phys(7 * unit), unit));
      refuses(Reason.ALREADY_LINKED, () -> window.link(unit, block.phys(5 * unit), 3 * unit));
      window.sync(0, unit * 6);
      assertThat(rig().device().read(window.address() + 2 * unit, 64)).isEqualTo(Bytes.of(block, 2 * unit, 64));
      rig().device().requireRefused(window.address() + unit, "its link was refused");
      rig().device().requireRefused(window.address() + 3 * unit, "its link was refused");
      window.link(unit, block.phys(5 * unit), unit);
      window.sync(unit, unit);
      assertThat(rig().device().read(window.address() + unit, 64)).isEqualTo(Bytes.of(block, 5 * unit, 64));
    }
  }

  /** E12c. */
  @Test
  @Tag("breaks:unlink-of-hole")
  default void e12cHoleCannotBeUnlinkedAndNothingChanges() {
    needs(Behavior.TRANSLATES);
    long unit = linkUnit();
    MemoryBlock block = rig().memory(unit * 4);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(0), unit * 4, DmaDirection.BIDIRECTIONAL, 0);
      window.link(unit, block.phys(unit), unit);
      window.sync(unit, unit);
      refuses(Reason.NOT_LINKED, () -> window.unlink(3 * unit, unit));
      refuses(Reason.NOT_LINKED, () -> window.unlink(unit, 2 * unit));
      assertThat(rig().device().read(window.address() + unit, 64)).isEqualTo(Bytes.of(block, unit, 64));
      window.unlink(unit, unit);
      refuses(Reason.NOT_LINKED, () -> window.unlink(unit, unit));
      window.free();
    }
  }

  /** E12d. */
  @Test
  @Tag("breaks:device-used-unlinked+unlink-splits")
  default void e12dPartOfALinkIsTakenOutWholeOrNotAtAll() {
    needs(Behavior.TRANSLATES);
    long unit = linkUnit();
    MemoryBlock block = rig().memory(unit * 4);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(0), unit * 4, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, block.phys(0), unit * 4);
      window.sync(0, unit * 4);
      int gone = 0;
      if (has(Behavior.SPLITS_LINKS)) {
        window.unlink(unit, unit);
        gone = 1;
      } else {
        refuses(Reason.NOT_SPLITTABLE, () -> window.unlink(unit, unit));
      }
      for (int i = 0; i < 4; i++) {
        if (i == gone && gone != 0) {
          rig().device().requireRefused(window.address() + i * unit, "it was unlinked");
        } else {
          assertThat(rig().device().read(window.address() + i * unit, 64)).as("unit %d", i).isEqualTo(Bytes.of(block, i * unit, 64));
        }
      }
    }
  }

  /** E12d. */
  @Test
  @Tag("breaks:unlink-splits")
  default void e12dNothingIsTakenOutWhereTheEndCutsALink() {
    needs(Behavior.TRANSLATES);
    assumeFalse(has(Behavior.SPLITS_LINKS), "no link is too large to be cut");
    long unit = linkUnit();
    MemoryBlock block = rig().memory(unit * 6);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(0), unit * 8, DmaDirection.BIDIRECTIONAL, 0);
      window.link(2 * unit, block.phys(5 * unit), unit);
      window.link(3 * unit, block.phys(4 * unit), unit);
      window.link(4 * unit, block.phys(0), 4 * unit);
      window.sync(0, unit * 8);
      for (int round = 0; round < 2; round++) {
        refuses(Reason.NOT_SPLITTABLE, () -> window.unlink(2 * unit, 3 * unit));
        refuses(Reason.NOT_SPLITTABLE, () -> window.unlink(3 * unit, 2 * unit));
        for (int i = 2; i < 8; i++) {
          long from = i < 4 ? (7 - i) * unit : (i - 4) * unit;
          assertThat(rig().device().read(window.address() + i * unit, 64)).as("unit %d, once a cut was refused", i).isEqualTo(Bytes.of(block, from, 64));
        }
      }
    }
  }

  /** E12e. */
  @Test
  @Tag("breaks:device-used-unknown-address")
  default void e12eRunOfRangesIsLinkedWholeOrNotAtAll() {
    needs(Behavior.TRANSLATES);
    DmaOps ops = rig().ops();
    long unit = linkUnit();
    MemoryBlock block = rig().memory(unit * 16);
    MappingState state = new MappingState(rig().layers());
    Retirement undo = new Retirement();
    int flags = DmaDirection.BIDIRECTIONAL.access();
    ops.reserve(state, 0, unit * 8, 0, -1L, flags);
    ops.link(state, 5 * unit, block.phys(15 * unit), unit, flags, undo);
    long[] phys = new long[6];
    long[] length = new long[6];
    for (int i = 0; i < 6; i++) {
      phys[i] = block.phys(2L * i * unit);
      length[i] = unit;
    }
    refuses(Reason.ALREADY_LINKED, () -> ops.linkRun(state, unit, phys, length, 0, 6, flags, undo));
    undo.complete();
    ops.publish(state, 0, unit * 8, undo);
    for (int i = 1; i < 5; i++) {
      assertThat(ops.physOf(state, i * unit)).as("what a refused run left at unit %d", i).isEqualTo(DmaOps.ABSENT);
      rig().device().requireRefused(state.dmaAddress + i * unit, "the run it belonged to was refused");
    }
    assertThat(rig().device().read(state.dmaAddress + 5 * unit, 64)).isEqualTo(Bytes.of(block, 15 * unit, 64));
    ops.linkRun(state, unit, phys, length, 0, 4, flags, undo);
    ops.publish(state, 0, unit * 8, undo);
    for (int i = 0; i < 4; i++) {
      assertThat(rig().device().read(state.dmaAddress + (i + 1) * unit, 64)).isEqualTo(Bytes.of(block, 2L * i * unit, 64));
    }
    ops.release(state, undo);
    undo.complete();
  }

  /** E12f. */
  @Test
  @Tag("breaks:not-memory")
  default void e12fWhatIsNoMemoryIsRefused() {
    long beyond = (rig().machine().memory().highestAddress() | 0xfff_ffff) + 1;
    refuses(Reason.NOT_BACKED, () -> rig().mapper().map(beyond, 4096, DmaDirection.TO_DEVICE, 0));
    long registers = rig().slot().bar(0).phys();
    refuses(
        EnumSet.of(Reason.NOT_BACKED, Reason.PEER_UNREACHABLE), () -> rig().mapper().map(registers, 4096, DmaDirection.BIDIRECTIONAL, 0));
    assertThat(rig().mapper().liveMappings()).isZero();
  }

  /** E12g. */
  @Test
  default void e12gAddressSpaceOfTheWrongKindIsRefusedAtAttach() {
    assumeFalse(setup().hostManaged(), "a host that keeps translations always translates");
    TckRig blocked = open(setup().withDevice(setup().device().withTranslation(Translation.BLOCKED)));
    refuses(EnumSet.of(Reason.UNSUPPORTED), blocked::mapper);
    Translation other = has(Behavior.TRANSLATES) ? Translation.NONE : Translation.TRANSLATED;
    TckRig wrong = open(setup().withDevice(setup().device().withTranslation(other)));
    refuses(EnumSet.of(Reason.UNSUPPORTED), wrong::mapper);
  }

  /** E12h. */
  @Test
  default void e12hDetachedDeviceIsRefusedAndTeardownIsNot() {
    MemoryBlock block = rig().memory(spaced(64 << 10));
    DmaMapping mapping = rig().map(block, crooked(), rounded(5000), DmaDirection.FROM_DEVICE);
    byte[] written = Bytes.random((int) rounded(5000), 3);
    rig().device().write(mapping.dmaAddress(), written);
    assertThat(rig().mapper().detach()).isEqualTo(1);
    refuses(Reason.DETACHED, () -> rig().map(block, 0, 4096, DmaDirection.TO_DEVICE));
    refuses(Reason.DETACHED, () -> mapping.syncForCpu(0, 100));
    mapping.close();
    assertThat(Bytes.of(block, crooked(), written.length)).isEqualTo(written);
  }

  /** E12i. */
  @Test
  default void e12iEdgesTheStackCannotServeAreRefused() {
    assumeFalse(edge() == 1, "edges may lie anywhere");
    MemoryBlock block = rig().memory(edge() * 4);
    EnumSet<Reason> reasons = EnumSet.of(Reason.BOUNCE_FORBIDDEN, Reason.COHERENCE_REQUIRED, Reason.MISALIGNED);
    refuses(reasons, () -> rig().map(block, edge() / 2, edge(), DmaDirection.BIDIRECTIONAL));
    refuses(reasons, () -> rig().map(block, 0, edge() + edge() / 2, DmaDirection.TO_DEVICE));
    assertThat(rig().mapper().liveMappings()).isZero();
  }

  /** E10b. */
  @Test
  default void e10bCallersAddressIsAnsweredAndNeverThatOfACopy() {
    DmaOps ops = rig().ops();
    MemoryBlock block = rig().memory(spaced(64 << 10));
    MappingState state = new MappingState(rig().layers());
    Retirement batch = new Retirement();
    long length = rounded(9000);
    ops.map(state, block.phys(crooked()), length, DmaDirection.BIDIRECTIONAL.access(), batch);
    for (long offset : new long[] {0, 1, 4095, length - 1}) {
      assertThat(ops.physOf(state, offset)).as("physOf(0x%x)", offset).isEqualTo(block.phys(crooked() + offset));
    }
    if (state.has(MapFlags.NEEDS_UNMAP)) {
      ops.unmap(state, batch);
      batch.complete();
    }
  }

  /** Return a length that any number of links may have. */
  private long linkUnit() {
    return unitOf(rig());
  }

  private static void requireRetryable(@Nullable DmaMappingException refusal, Reason reason) {
    if (refusal == null) {
      throw new AssertionError("nothing was refused; expected " + reason);
    }
    assertThat(refusal.reason()).isEqualTo(reason);
    assertThat(refusal.isRetryable()).as(reason + " can pass").isTrue();
  }

  private static void refuses(Reason reason, ThrowingCallable work) {
    refuses(EnumSet.of(reason), work);
  }

  private static void refuses(EnumSet<Reason> reasons, ThrowingCallable work) {
    DmaMappingException refusal = Assertions.catchThrowableOfType(DmaMappingException.class, work);
    assertThat(refusal).as("a refusal: one of " + reasons).isNotNull();
    assertThat(refusal.reason()).as(refusal.getMessage()).isIn(reasons);
    assertThat(refusal.getMessage()).isNotBlank();
  }
}
