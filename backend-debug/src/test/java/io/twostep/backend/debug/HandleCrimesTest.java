package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaPool;
import io.twostep.dma.DmaStack;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the mapper refuses, and what the checker adds to it. */
class HandleCrimesTest {
  private static final long PAGE = Rig.PAGE;

  private final Rig rig = Rig.translated();
  private final MemoryBlock block = rig.allocate(16 * PAGE);
  private final long phys = block.phys(0);

  @AfterEach
  void close() {
    rig.close();
  }

  @Test
  void mappingAMappedHandleShowsWhereItWasMapped() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    assertThatThrownBy(() -> mapping.map(phys, PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalStateException.class);
    Report report = rig.only(Rule.MAPPED_TWICE, true);
    assertThat(report.first()).isEqualTo(mapping.dmaAddress());
    assertThat(report.length()).isEqualTo(PAGE);
    assertThat(report.text(4)).contains("mappingAMappedHandleShowsWhereItWasMapped");
  }

  @Test
  void unmappingAFreshHandleIsNamed() {
    assertThatThrownBy(rig.mapper.newMapping()::unmap).isInstanceOf(IllegalStateException.class);
    rig.only(Rule.NEVER_MAPPED, false);
  }

  @Test
  void doubleUnmapShowsTheFirstUnmap() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    mapping.unmap();
    assertThatThrownBy(mapping::unmap).isInstanceOf(IllegalStateException.class);
    assertThat(rig.only(Rule.TORN_DOWN_TWICE, true).text(6)).contains("earlier: unmapped by thread");
  }

  @Test
  void doubleDestroyShowsTheFirstDestroy() {
    IovaReservation window = window(PAGE);
    window.destroy();
    assertThatThrownBy(window::destroy).isInstanceOf(IllegalStateException.class);
    assertThat(rig.only(Rule.TORN_DOWN_TWICE, true).text(6)).contains("earlier: window given back");
  }

  @Test
  void doubleUnmapOfATransferWhereNothingTranslatesShowsTheFirst() {
    try (Rig direct = Rig.direct()) {
      MemoryBlock memory = direct.allocate(PAGE);
      DmaTransfer transfer = direct.mapper.newTransfer();
      transfer.map(memory.ranges(), TO_DEVICE, NONE, (address, length, kind) -> true);
      transfer.unmap();
      assertThatThrownBy(transfer::unmap).isInstanceOf(IllegalStateException.class);
      direct.only(Rule.TORN_DOWN_TWICE, true);
    }
  }

  @Test
  void linkAfterFreeShowsWhereTheWindowWasFreed() {
    IovaReservation window = window(PAGE);
    window.free();
    assertThatThrownBy(() -> window.link(0, phys, PAGE)).isInstanceOf(IllegalStateException.class);
    rig.only(Rule.USED_AFTER_TEARDOWN, true);
  }

  @Test
  void linkBeforeAllocIsNamed() {
    assertThatThrownBy(() -> rig.mapper.newReservation().link(0, phys, PAGE)).isInstanceOf(IllegalStateException.class);
    rig.only(Rule.NEVER_MAPPED, false);
  }

  @Test
  void useOfAClosedHandleShowsItsLastTeardown() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    mapping.close();
    assertThatThrownBy(() -> mapping.map(phys, PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalStateException.class);
    rig.only(Rule.USED_AFTER_CLOSE, true);
  }

  @Test
  void pieceFreedTwiceShowsWhereItsMemoryWasAllocated() {
    try (DmaPool pool = rig.mapper.newPool(64, 64)) {
      DmaPool.Element piece = pool.allocate();
      piece.free();
      assertThatThrownBy(piece::free).isInstanceOf(IllegalStateException.class);
      Report report = rig.only(Rule.TORN_DOWN_TWICE, true);
      assertThat(report.first()).isEqualTo(piece.dmaAddress());
      assertThat(report.length()).isEqualTo(64);
      assertThat(report.detail()).contains("a piece of the coherent memory 0x");
      assertThat(report.text(8)).contains("earlier: mapped");
    }
  }

  /** A checker may follow the devices of several machines, whose addresses are alike. */
  @Test
  void pieceFreedTwiceShowsMemoryOfItsOwnMachine() {
    try (Rig there = Rig.translated();
        DmaMapper stranger = DmaStack.of(there.terminal, rig.checker).attach(there.machine, there.slot, DeviceLimits.UNLIMITED);
        DmaPool here = rig.mapper.newPool(64, 64);
        DmaPool elsewhere = stranger.newPool(64, 64)) {
      DmaPool.Element first = here.allocate();
      Tracked ofFirst = rig.checker.ledger().live().getFirst();
      DmaPool.Element second = elsewhere.allocate();
      Tracked ofSecond = rig.checker.ledger().live().stream().filter(each -> each != ofFirst).findAny().orElseThrow();
      assertThat(second.dmaAddress()).as("the machines are alike").isEqualTo(first.dmaAddress());
      for (DmaPool.Element piece : List.of(first, second)) {
        piece.free();
        assertThatThrownBy(piece::free).isInstanceOf(IllegalStateException.class);
      }
      assertThat(rig.reports()).extracting(Report::earlier).containsExactly(ofFirst.made, ofSecond.made);
    }
  }

  @Test
  void piecesOfAPoolThatIsClosedAreNotTaken() {
    DmaPool pool = rig.mapper.newPool(64, 64);
    pool.close();
    assertThatThrownBy(pool::allocate).isInstanceOf(IllegalStateException.class);
    rig.only(Rule.USED_AFTER_CLOSE, false);
  }

  @Test
  void emptyCoherentMemoryPoolsAndWindowsAreNamed() {
    assertThatThrownBy(() -> rig.mapper.allocateCoherent(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> rig.mapper.newPool(-8, 8)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> rig.mapper.newWindow(0, PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalArgumentException.class);
    assertThat(rig.reports()).extracting(Report::rule).containsOnly(Rule.EMPTY_RANGE);
    assertThat(rig.reports()).extracting(Report::detail).satisfiesExactly(
        coherent -> assertThat(coherent).startsWith("allocateCoherent with 0 bytes"),
        pool -> assertThat(pool).startsWith("newPool with -8 bytes"),
        window -> assertThat(window).startsWith("newWindow with 0 bytes"));
  }

  @Test
  void freeOfAWindowThatIsPartlyLinkedNamesWhatIsLinked() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, PAGE);
    window.link(2 * PAGE, phys + PAGE, PAGE);
    window.unlink(0, PAGE);
    assertThatThrownBy(window::free).isInstanceOf(IllegalStateException.class);
    assertThat(rig.only(Rule.FREED_WHILE_LINKED, true).detail()).contains("1 ranges").contains("0x2000");
  }

  @Test
  void emptyRangesAreNamed() {
    assertThatThrownBy(() -> rig.mapper.map(phys, 0, TO_DEVICE, NONE)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.EMPTY_RANGE, false);
  }

  @Test
  void rangesThatWrapAreNamed() {
    assertThatThrownBy(() -> rig.mapper.map(-PAGE, 2 * PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalArgumentException.class);
    assertThat(rig.only(Rule.RANGE_WRAPS, false).headline()).contains("0xfffffffffffff000+0x2000");
  }

  @Test
  void unknownAttributesAreNamed() {
    assertThatThrownBy(() -> rig.mapper.map(phys, PAGE, TO_DEVICE, 1 << 30)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.UNKNOWN_ATTRIBUTES, false);
  }

  @Test
  void syncOutsideAMappingShowsTheMapping() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    assertThatThrownBy(() -> mapping.syncForCpu(PAGE - 1, 2)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.OUTSIDE_MAPPING, true);
  }

  @Test
  void linkOutsideAWindowShowsTheWindow() {
    IovaReservation window = window(2 * PAGE);
    assertThatThrownBy(() -> window.link(PAGE, phys, 2 * PAGE)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.OUTSIDE_WINDOW, true);
  }

  @Test
  void misalignedMiddleShowsTheWindow() {
    IovaReservation window = window(2 * PAGE);
    assertThatThrownBy(() -> window.link(0x800, phys, PAGE)).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.MISALIGNED_LINK, true);
  }

  @Test
  void misalignedUnlinkShowsTheWindow() {
    IovaReservation window = window(2 * PAGE);
    window.link(0, phys, 2 * PAGE);
    assertThatThrownBy(() -> window.unlink(0, 0x800)).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.MISALIGNED_UNLINK, true);
  }

  @Test
  void partsOffTheUnitsOfASparseWindowShowTheWindow() {
    SparseWindow window = rig.mapper.newWindow(16 * PAGE, 2 * PAGE, FROM_DEVICE, NONE);
    assertThatThrownBy(() -> window.link(PAGE, phys, 2 * PAGE, FROM_DEVICE)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.NOT_WINDOW_UNITS, true);
  }

  @Test
  void widerAccessThanTheWindowsShowsTheWindow() {
    SparseWindow window = rig.mapper.newWindow(16 * PAGE, PAGE, FROM_DEVICE, NONE);
    assertThatThrownBy(() -> window.link(0, phys, PAGE, TO_DEVICE)).isInstanceOf(IllegalArgumentException.class);
    rig.only(Rule.ACCESS_WIDENED, true);
  }

  @Test
  void unlinkOfAHoleInASparseWindowShowsTheEarlierUnlink() {
    SparseWindow window = rig.mapper.newWindow(16 * PAGE, PAGE, FROM_DEVICE, NONE);
    window.link(0, phys, PAGE, FROM_DEVICE);
    window.unlink(0, PAGE);
    assertThatThrownBy(() -> window.unlink(0, PAGE)).isInstanceOf(DmaMappingException.class);
    assertThat(rig.only(Rule.UNLINK_OF_HOLE, true).text(8)).contains("earlier: unlinked");
  }

  @Test
  void memoryThatNeverWasIsNamed() {
    assertThatThrownBy(() -> rig.mapper.map(1L << 50, PAGE, TO_DEVICE, NONE)).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.NOT_MEMORY, false);
  }

  @Test
  void memoryThatWasFreedShowsItsLastMapping() {
    MemoryBlock freed = rig.machine.memory().allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    long gone = freed.phys(0);
    rig.mapper.map(gone, PAGE, TO_DEVICE, NONE).close();
    freed.close();
    assertThatThrownBy(() -> rig.mapper.map(gone, PAGE, TO_DEVICE, NONE)).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.FREED_MEMORY, true);
  }

  @Test
  void rangesThatLeaveTheirMemoryAreNotTakenForFreedMemory() {
    rig.mapper.map(phys, PAGE, TO_DEVICE, NONE).close();
    assertThatThrownBy(() -> rig.mapper.map(phys, block.length() + PAGE, TO_DEVICE, NONE)).isInstanceOf(DmaMappingException.class);
    assertThat(rig.only(Rule.NOT_MEMORY, false).detail()).contains("leaves the block");
  }

  @Test
  void permissionsOfAHoleInASparseWindowShowTheEarlierUnlink() {
    SparseWindow window = rig.mapper.newWindow(16 * PAGE, PAGE, FROM_DEVICE, NONE);
    window.link(0, phys, PAGE, FROM_DEVICE);
    window.unlink(0, PAGE);
    assertThatThrownBy(() -> window.protect(0, PAGE, FROM_DEVICE)).isInstanceOf(DmaMappingException.class);
    assertThat(rig.only(Rule.PROTECT_OF_HOLE, true).text(8)).contains("earlier: unlinked");
  }

  private IovaReservation window(long length) {
    IovaReservation window = rig.mapper.newReservation();
    assertThat(window.tryAlloc(phys, length, TO_DEVICE, NONE)).isTrue();
    return window;
  }
}
