package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E11: windows whose units come and go. */
public interface WindowRules extends TckFixture {
  /** E11a. */
  @Test
  @Tag("breaks:device-used-unlinked")
  default void e11aUnitsComeAndGo() {
    long unit = windowUnit();
    if (!has(Behavior.SPARSE_WINDOWS)) {
      assertThatThrownBy(() -> rig().mapper().newWindow(unit * 4, unit, DmaDirection.BIDIRECTIONAL, 0))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
      return;
    }
    MemoryBlock block = rig().memory(unit * 8);
    try (SparseWindow window = rig().mapper().newWindow(unit * 8, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      for (int round = 0; round < 40; round++) {
        int at = round * 5 % 8;
        long offset = at * unit;
        if (window.isLinked(offset)) {
          window.unlink(offset, unit);
          if (has(Behavior.TRANSLATES)) {
            rig().device().requireRefused(window.address() + offset + unit / 2, "its unit was unlinked");
          }
          assertThat(window.isLinked(offset)).isFalse();
        } else {
          long from = round * 3 % 8 * unit;
          long address = window.link(offset, block.phys(from), unit, DmaDirection.BIDIRECTIONAL);
          assertThat(rig().device().read(address, 128)).as("round %d", round).isEqualTo(Bytes.of(block, from, 128));
          byte[] written = Bytes.random(64, round);
          rig().device().write(address + 32, written);
          window.syncForCpu(offset, unit);
          assertThat(Bytes.of(block, from + 32, 64)).isEqualTo(written);
          assertThat(window.isLinked(offset)).isTrue();
        }
      }
    }
  }

  /** E11b. */
  @Test
  @Tag("breaks:link-overlaps+unlink-of-hole")
  default void e11bHolesAndOccupiedUnitsAreRefused() {
    needs(Behavior.SPARSE_WINDOWS);
    long unit = windowUnit();
    MemoryBlock block = rig().memory(unit * 2);
    try (SparseWindow window = rig().mapper().newWindow(unit * 4, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      window.link(unit, block.phys(0), unit, DmaDirection.BIDIRECTIONAL);
      assertThatThrownBy(() -> window.link(unit, block.phys(unit), unit, DmaDirection.BIDIRECTIONAL))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.ALREADY_LINKED));
      assertThatThrownBy(() -> window.unlink(unit, 2 * unit))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_LINKED));
      assertThat(window.isLinked(unit)).isTrue();
    }
  }

  /** E5d. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e5dPermissionOfUnitsIsChangedOrTheChangeIsRefused() {
    needs(Behavior.SPARSE_WINDOWS);
    long unit = windowUnit();
    MemoryBlock block = rig().memory(unit * 3);
    try (SparseWindow window = rig().mapper().newWindow(unit * 3, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      long before = window.link(0, block.phys(0), unit, DmaDirection.BIDIRECTIONAL);
      long at = window.link(unit, block.phys(unit), unit, DmaDirection.BIDIRECTIONAL);
      long behind = window.link(2 * unit, block.phys(2 * unit), unit, DmaDirection.BIDIRECTIONAL);
      if (!has(Behavior.CHANGES_PERMISSION)) {
        assertThatThrownBy(() -> window.protect(unit, unit, DmaDirection.TO_DEVICE))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
        return;
      }
      for (int round = 0; round < 6; round++) {
        rig().device().write(at, new byte[] {1});
        window.protect(unit, unit, DmaDirection.TO_DEVICE);
        assertThat(rig().device().tryWrite(at, new byte[] {2})).as("a write after its permission was taken").isFalse();
        assertThat(rig().device().tryWrite(at + unit - 1, new byte[] {2})).as("a write to the end of a unit whose permission was taken").isFalse();
        rig().device().read(at, 1);
        for (long beside : new long[] {before + unit - 1, behind}) {
          assertThat(rig().device().tryWrite(beside, new byte[] {3})).as("a write to a unit beside the one whose permission was taken, at 0x%x", beside).isTrue();
        }
        window.protect(unit, unit, DmaDirection.BIDIRECTIONAL);
      }
    }
  }

  /** E5f: nothing in a window is bounced, so such units cannot be had. */
  @Test
  default void e5fUnitsThatAreOnlyWrittenAreRefusedToADeviceThatCouldReadThem() {
    needs(Behavior.SHOWS_WRITERS_ZEROS, Behavior.SPARSE_WINDOWS);
    long unit = windowUnit();
    MemoryBlock block = rig().memory(2 * unit);
    refusesUnits(() -> rig().mapper().newWindow(2 * unit, unit, DmaDirection.FROM_DEVICE, 0));
    try (SparseWindow window = rig().mapper().newWindow(2 * unit, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      refusesUnits(() -> window.link(0, block.phys(0), unit, DmaDirection.FROM_DEVICE));
      refusesUnits(() -> window.link(0, new Ranges().add(block.phys(unit), unit).add(block.phys(0), unit), DmaDirection.FROM_DEVICE, null));
      window.link(0, block.phys(0), unit, DmaDirection.BIDIRECTIONAL);
      refusesUnits(() -> window.protect(0, unit, DmaDirection.FROM_DEVICE));
    }
  }

  private static void refusesUnits(ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
  }

  /** E11c. */
  @Test
  @Tag("breaks:device-used-unlinked")
  default void e11cMemoryOfUnitsIsHeldUntilTheirBatchCompletes() {
    needs(Behavior.SPARSE_WINDOWS);
    long unit = windowUnit();
    MemoryBlock block = rig().memory(unit * 4);
    try (SparseWindow window = rig().mapper().newWindow(unit * 4, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      for (int i = 0; i < 4; i++) {
        window.link(i * unit, block.phys(i * unit), unit, DmaDirection.BIDIRECTIONAL);
      }
      InvalidationBatch batch = rig().mapper().newBatch();
      window.unlink(0, 4 * unit, batch);
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      batch.complete();
      if (has(Behavior.TRANSLATES)) {
        for (int i = 0; i < 4; i++) {
          rig().device().requireRefused(window.address() + i * unit, "its batch is complete");
        }
      }
    }
  }

  private long windowUnit() {
    return Math.max(4096, granuleOf(rig()));
  }
}
