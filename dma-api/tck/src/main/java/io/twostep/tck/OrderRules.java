package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.tck.FaultPlan.Call;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E1: clear, invalidate, copy out, release; nothing is reused while a stale translation may live. */
public interface OrderRules extends TckFixture {
  /** Why nobody can write between the end of a translation and its invalidation. */
  String HOST_INVALIDATES = "a host unmaps and invalidates in one step";

  /** E1a. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e1aMemoryIsOutOfReachOnceUnmapReturns() {
    for (int round = 0; round < 8; round++) {
      MemoryBlock block = rig().memory(rounded(20_000));
      DmaMapping mapping = rig().map(block, 0, block.length(), DmaDirection.BIDIRECTIONAL);
      long at = mapping.dmaAddress();
      long middle = at + block.length() / 2;
      rig().device().read(at, 16);
      rig().device().read(middle, 16);
      mapping.close();
      rig().mapper().awaitQuiescence();
      byte[] before = Bytes.of(block, 0, block.length());
      if (has(Behavior.TRANSLATES)) {
        rig().device().requireRefused(at, "it was unmapped");
        rig().device().requireRefused(middle, "it was unmapped");
      } else if (has(Behavior.BOUNCES)) {
        rig().device().tryWrite(at, Bytes.random(64, round));
      } else {
        assertThat(rig().mapper().limits().translates()).as("nothing translates, and nothing pretends to").isFalse();
      }
      assertThat(Bytes.of(block, 0, block.length())).isEqualTo(before);
    }
  }

  /** E1b. */
  @Test
  @Tag("breaks:overlapping-write+too-many-overlaps")
  default void e1bAddressesOfAPendingBatchAreNotGivenOutAgain() {
    needs(Behavior.TRANSLATES);
    long length = Math.max(rounded(8192), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length);
    List<Long> pending = new ArrayList<>();
    List<DmaMapping> later = new ArrayList<>();
    try (InvalidationBatch batch = rig().mapper().newBatch()) {
      for (int i = 0; i < 8; i++) {
        DmaMapping mapping = rig().map(block, 0, length, DmaDirection.BIDIRECTIONAL);
        pending.add(mapping.dmaAddress());
        mapping.unmap(batch);
        mapping.close();
      }
      for (int i = 0; i < 16; i++) {
        later.add(rig().map(block, 0, length, DmaDirection.BIDIRECTIONAL));
      }
      for (DmaMapping mapping : later) {
        for (long old : pending) {
          assertThat(mapping.dmaAddress() - old).as("an address whose invalidation is not complete was given out").satisfiesAnyOf(
              distance -> assertThat(distance).isGreaterThanOrEqualTo(length), distance -> assertThat(distance).isLessThanOrEqualTo(-length));
        }
      }
    }
    later.forEach(DmaMapping::close);
  }

  /** E1c. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e1cWritesUpToTheInvalidationAreKept() {
    assumeFalse(setup().hostManaged(), HOST_INVALIDATES);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    int length = (int) rounded(3000);
    for (int round = 0; round < 8; round++) {
      DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE);
      requireLastWritesKept(block, length, round, mapping.dmaAddress(), mapping::unmap);
      mapping.close();
    }
  }

  /** E1c. */
  @Test
  @Tag("breaks:device-used-unlinked+device-used-unmapped")
  default void e1cWritesUpToTheInvalidationOfAReservationAreKept() {
    needs(Behavior.TRANSLATES);
    assumeFalse(setup().hostManaged(), HOST_INVALIDATES);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    int length = (int) rounded(3000);
    try (IovaReservation window = rig().mapper().newReservation()) {
      for (int round = 0; round < 8; round++) {
        boolean unlinks = round % 2 == 0;
        window.tryAlloc(block.phys(crooked()), length, DmaDirection.FROM_DEVICE, 0);
        window.link(0, block.phys(crooked()), length);
        window.sync(0, length);
        requireLastWritesKept(
            block, length, round, window.address(), unlinks ? batch -> window.unlink(0, length, batch) : window::destroy);
        if (unlinks) {
          window.free();
        }
      }
    }
  }

  private void requireLastWritesKept(MemoryBlock block, int length, int round, long at, Consumer<InvalidationBatch> teardown) {
    byte[] kept = Bytes.random(length, 40 + round);
    // As much as no page is too small for: of more, some may be written and the rest refused.
    byte[] last = Bytes.random((int) Math.min(length, 4096 - (at & 4095)), 80 + round);
    rig().device().write(at, kept);
    boolean[] written = new boolean[1];
    if (has(Behavior.TRANSLATES)) {
      // Translations are cleared by then, and the device may still have them: what it writes counts.
      rig().machine().beforeInvalidation(rig().slot(), () -> written[0] |= rig().device().tryWrite(at, last));
    }
    try (InvalidationBatch batch = rig().mapper().newBatch()) {
      teardown.accept(batch);
      if (!has(Behavior.TRANSLATES)) {
        // Nothing to invalidate; until the batch completes the memory is the device's all the same.
        rig().device().write(at, last);
        written[0] = true;
      }
    }
    if (has(Behavior.TRANSLATES)) {
      rig().machine().beforeInvalidation(rig().slot(), () -> {});
    }
    if (written[0]) {
      System.arraycopy(last, 0, kept, 0, last.length);
    }
    assertThat(Bytes.of(block, crooked(), length)).as("round %d", round).isEqualTo(kept);
  }

  /** E1d. */
  @Test
  @Tag("breaks:device-used-freed-coherent+device-used-unmapped")
  default void e1dNothingIsReleasedWhileTheInvalidationFails() {
    needs(Behavior.TRANSLATES);
    if (has(Behavior.LAZY)) {
      requireWithheldWhatIsAlwaysStrict();
      return;
    }
    long length = Math.max(rounded(8192), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length);
    DmaMapping mapping = rig().map(block, 0, length, DmaDirection.BIDIRECTIONAL);
    long stuck = mapping.dmaAddress();
    rig().machine().faults().arm(setup().hostManaged() ? Call.HOST_UNMAP : Call.INVALIDATE, 1);
    InvalidationBatch batch = rig().mapper().newBatch();
    DmaMappingException refusal =
        catchThrowableOfType(
            DmaMappingException.class,
            () -> {
              mapping.unmap(batch);
              batch.complete();
            });
    batch.close();
    assertThat(refusal).as("a teardown that could not be confirmed").isNotNull();
    assertThat(refusal.reason()).isEqualTo(Reason.QUARANTINED);
    assertThat(rig().mapper().quarantined()).isEqualTo(1);
    assertThatThrownBy(block::close).as("the device may still reach the memory").isInstanceOf(IllegalStateException.class);
    MemoryBlock other = rig().memory(length);
    for (int i = 0; i < 8; i++) {
      try (DmaMapping next = rig().map(other, 0, length, DmaDirection.BIDIRECTIONAL)) {
        assertThat(next.dmaAddress()).as("an address that may be reachable was given out").isNotEqualTo(stuck);
      }
    }
    rig().slot().reset();
    rig().slot().busMaster(true);
    assertThat(rig().mapper().releaseQuarantined()).isZero();
    mapping.close();
    rig().device().requireRefused(stuck, "it was released from quarantine");
  }

  /** Behind a lazy policy nobody waits for the invalidation of a plain unmap; coherent memory is given up strictly under any. */
  private void requireWithheldWhatIsAlwaysStrict() {
    DmaBuffer buffer = rig().mapper().allocateCoherent(8192);
    long stuck = buffer.dmaAddress();
    rig().machine().faults().arm(Call.INVALIDATE, 1);
    DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, buffer::close);
    assertThat(refusal).as("a teardown that could not be confirmed").isNotNull();
    assertThat(refusal.reason()).isEqualTo(Reason.QUARANTINED);
    assertThat(rig().mapper().quarantined()).isEqualTo(1);
    for (int i = 0; i < 8; i++) {
      try (DmaBuffer next = rig().mapper().allocateCoherent(8192)) {
        assertThat(next.dmaAddress()).as("an address that may be reachable was given out").isNotEqualTo(stuck);
      }
    }
    rig().slot().reset();
    rig().slot().busMaster(true);
    assertThat(rig().mapper().releaseQuarantined()).isZero();
    rig().device().requireRefused(stuck, "it was released from quarantine");
  }

  /** E1d. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e1dNothingUnlinkedIsReleasedWhileTheInvalidationFails() {
    needs(Behavior.TRANSLATES);
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit);
    IovaReservation window = rig().mapper().newReservation();
    window.tryAlloc(block.phys(0), unit, DmaDirection.BIDIRECTIONAL, 0);
    long stuck = window.link(0, block.phys(0), unit);
    window.sync(0, unit);
    requireWithheld(block, stuck, () -> window.unlink(0, unit));
    window.close();
    rig().device().requireRefused(stuck, "it was released from quarantine");
  }

  /** E1d. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e1dNothingOfAWindowIsReleasedWhileTheInvalidationFails() {
    needs(Behavior.TRANSLATES);
    assumeFalse(has(Behavior.LAZY), "nobody waits for the invalidation of a window that is given back");
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit);
    IovaReservation window = rig().mapper().newReservation();
    window.tryAlloc(block.phys(0), unit, DmaDirection.BIDIRECTIONAL, 0);
    long stuck = window.link(0, block.phys(0), unit);
    window.sync(0, unit);
    requireWithheld(block, stuck, window::destroy);
    window.close();
    rig().device().requireRefused(stuck, "it was released from quarantine");
  }

  /** Do what cannot be confirmed: it must say so, and memory and address stay taken until the device was reset. */
  private void requireWithheld(MemoryBlock block, long stuck, ThrowingCallable teardown) {
    rig().device().read(stuck, 16);
    rig().machine().faults().arm(setup().hostManaged() ? Call.HOST_UNMAP : Call.INVALIDATE, 1);
    DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, teardown);
    rig().machine().faults().disarm();
    assertThat(refusal).as("a teardown that could not be confirmed").isNotNull();
    assertThat(refusal.reason()).as(refusal.getMessage()).isEqualTo(Reason.QUARANTINED);
    assertThatThrownBy(block::close).as("the device may still reach the memory").isInstanceOf(IllegalStateException.class);
    long length = block.length();
    MemoryBlock other = rig().memory(length);
    for (int i = 0; i < 8; i++) {
      try (DmaMapping next = rig().map(other, 0, length, DmaDirection.BIDIRECTIONAL)) {
        assertThat(Math.abs(next.dmaAddress() - stuck)).as("distance of an address that was given out to one that may be reachable").isGreaterThanOrEqualTo(length);
      }
    }
    rig().slot().reset();
    rig().slot().busMaster(true);
    assertThat(rig().mapper().releaseQuarantined()).isZero();
  }

  /** E1e. */
  @Test
  @Tag("breaks:device-used-unmapped+overlapping-write")
  default void e1eStaleAddressesReachNothingThatWasMappedSince() {
    int length = (int) rounded(6000);
    MemoryBlock old = rig().memory(length);
    MemoryBlock young = rig().memory(length);
    List<DmaMapping> later = new ArrayList<>();
    byte[] expected = Bytes.of(young, 0, length);
    try (InvalidationBatch batch = rig().mapper().newBatch()) {
      for (int i = 0; i < 6; i++) {
        DmaMapping mapping = rig().map(old, 0, length, DmaDirection.BIDIRECTIONAL);
        long stale = mapping.dmaAddress();
        rig().device().read(stale, length);
        mapping.unmap(batch);
        mapping.close();
        later.add(rig().map(young, 0, length, DmaDirection.BIDIRECTIONAL));
        rig().device().tryWrite(stale, Bytes.random(length, i));
        for (DmaMapping mapped : later) {
          assertThat(rig().device().read(mapped.dmaAddress(), length)).as("what was mapped while a batch waited").isEqualTo(expected);
        }
      }
    }
    later.forEach(DmaMapping::close);
    assertThat(Bytes.of(young, 0, length)).isEqualTo(expected);
  }

  /** E1f. */
  @Test
  @Tag("breaks:device-used-unlinked+device-used-unmapped")
  default void e1fUnlinkedAndDestroyedWindowsAreOutOfReach() {
    if (!has(Behavior.TRANSLATES)) {
      assertThat(rig().mapper().newReservation().tryAlloc(0, 4096, DmaDirection.BIDIRECTIONAL, 0)).isFalse();
      return;
    }
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit * 4);
    try (IovaReservation window = rig().mapper().newReservation()) {
      for (int round = 0; round < 6; round++) {
        window.tryAlloc(block.phys(0), unit * 4, DmaDirection.BIDIRECTIONAL, 0);
        long base = window.address();
        for (int i = 0; i < 4; i++) {
          window.link(i * unit, block.phys(i * unit), unit);
        }
        window.sync(0, unit * 4);
        rig().device().read(base, 16);
        rig().device().read(base + 2 * unit, 16);
        window.unlink(2 * unit, unit);
        rig().device().requireRefused(base + 2 * unit + unit / 2, "it was unlinked");
        assertThat(rig().device().read(base + 3 * unit, 16)).isEqualTo(Bytes.of(block, 3 * unit, 16));
        window.destroy();
        rig().mapper().awaitQuiescence();
        for (int i = 0; i < 4; i++) {
          rig().device().requireRefused(base + i * unit, "its window was destroyed");
        }
      }
    }
  }

  /** E1g. */
  @Test
  @Tag("breaks:device-used-hole")
  default void e1gTablesThatServedOneWindowAreNeverWalkedForAnother() {
    needs(Behavior.TRANSLATES);
    long unit = unitOf(rig());
    long stride = Math.max(2 << 20, 2 * unit);
    int links = 4;
    MemoryBlock block = rig().memory(unit * links * 2);
    List<IovaReservation> windows = List.of(rig().mapper().newReservation(), rig().mapper().newReservation());
    for (int round = 0; round < 24; round++) {
      // Two windows whose tables come back in another order each time.
      IovaReservation window = windows.get(round % 2);
      window.tryAlloc(block.phys(0), stride * links, DmaDirection.TO_DEVICE, 0);
      for (int i = 0; i < links; i++) {
        int link = round % 3 == 0 ? links - 1 - i : i;
        window.link(link * stride, block.phys((link + round) % (links * 2) * unit), unit);
      }
      window.sync(0, stride * links);
      for (int i = 0; i < links; i++) {
        byte[] expected = Bytes.of(block, (i + round) % (links * 2) * unit, 64);
        assertThat(rig().device().read(window.address() + i * stride, 64)).as("round %d, link %d", round, i).isEqualTo(expected);
        rig().device().requireRefused(window.address() + i * stride + unit, "nothing is linked there");
      }
      if (round % 2 == 1) {
        windows.forEach(IovaReservation::destroy);
        rig().mapper().awaitQuiescence();
      }
    }
    windows.forEach(IovaReservation::close);
  }
}
