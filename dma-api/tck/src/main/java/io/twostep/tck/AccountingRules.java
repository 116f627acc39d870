package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.tck.FaultPlan.Call;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E13 and E2c: everything is counted, and nothing is lost, whichever call fails. */
public interface AccountingRules extends TckFixture {
  /** E13a. */
  @Test
  default void e13aBackendGivesBackAllItsMemory() {
    TckRig other = open(setup());
    MemoryBlock block = other.memory(spaced(256 << 10));
    work(other, block);
    other.close();
    assertThat(other.machine().leaks()).isEmpty();
  }

  /** E13b. */
  @Test
  default void e13bWorkRepeatedHoldsNoMoreThanWorkDoneOnce() {
    MemoryBlock block = rig().memory(spaced(256 << 10));
    for (int i = 0; i < 20; i++) {
      work(rig(), block);
    }
    rig().mapper().awaitQuiescence();
    long held = rig().machine().bytesHeld();
    for (int i = 0; i < 60; i++) {
      work(rig(), block);
    }
    rig().mapper().awaitQuiescence();
    assertThat(rig().machine().bytesHeld()).as("bytes held after work that was undone").isLessThanOrEqualTo(held);
  }

  /** E13c. */
  @Test
  default void e13cFailureOfAnyCallLeavesNothingBehind() {
    boolean fired = true;
    for (int n = 1; fired && n <= MOST_CALLS; n++) {
      TckRig one = open(setup());
      MemoryBlock block = one.memory(spaced(256 << 10));
      one.mapper();
      one.machine().faults().arm(Call.ANY, n);
      try {
        work(one, block);
      } catch (DmaMappingException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
      fired = one.machine().faults().fired();
      one.machine().faults().disarm();
      one.slot().reset();
      one.slot().busMaster(true);
      assertThat(one.mapper().releaseQuarantined()).as("quarantined after call %d failed and the device was reset", n).isZero();
      work(one, block);
      try {
        one.close();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("after call " + n + " of the machine failed: " + e.getMessage(), e);
      }
    }
    requireAllSwept(fired);
  }

  /** E13c. */
  @Test
  default void e13cAttachThatFailsLeavesNothingBehind() {
    boolean fired = true;
    for (int n = 1; fired && n <= MOST_CALLS; n++) {
      TckRig one = open(setup());
      one.machine().faults().arm(Call.ANY, n);
      DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, one::mapper);
      fired = one.machine().faults().fired();
      one.machine().faults().disarm();
      if (refusal != null) {
        assertThat(fired).as("an attach that was refused though nothing failed: %s", refusal.getMessage()).isTrue();
        assertThat(refusal.getMessage()).isNotBlank();
        one.slot().reset();
        one.slot().busMaster(true);
      }
      work(one, one.memory(spaced(256 << 10)));
      try {
        one.close();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("after call " + n + " of the machine failed while the device was attached: " + e.getMessage(), e);
      }
    }
    requireAllSwept(fired);
  }

  /** E13f. */
  @Test
  default void e13fStatesThatALayerHandsDownAreForgotten() {
    boolean fired = true;
    for (int n = 1; fired && n <= MOST_CALLS; n++) {
      TckRig one = watchingStates();
      MemoryBlock block = one.memory(spaced(256 << 10));
      DmaMapping open = one.mapper().newMapping();
      DmaTransfer openTransfer = one.mapper().newTransfer();
      one.machine().faults().arm(Call.ANY, n);
      try {
        work(one, block);
        gather(one, block);
      } catch (DmaMappingException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
      fired = one.machine().faults().fired();
      one.machine().faults().disarm();
      one.slot().reset();
      one.slot().busMaster(true);
      assertThat(one.mapper().releaseQuarantined()).as("quarantined after call %d failed and the device was reset", n).isZero();
      // Handles that stay open: through a stack that is replaced, and until their mapper closes.
      for (int round = 0; round < 2; round++) {
        open.map(block.phys(crooked()), rounded(5000), DmaDirection.TO_DEVICE, 0);
        open.unmap();
        openTransfer.map(scattered(block), DmaDirection.TO_DEVICE, 0, (address, length, kind) -> true);
        openTransfer.unmap();
        one.mapper().restack(one.stack());
      }
      one.close();
      List<Throwable> unforgotten = one.unforgotten();
      if (!unforgotten.isEmpty()) {
        AssertionError left = new AssertionError("%d states that %s was handed were never forgotten; call %d of the machine failed".formatted(unforgotten.size(), one.stack(), n));
        unforgotten.forEach(left::addSuppressed);
        throw left;
      }
    }
    requireAllSwept(fired);
  }

  /** Ranges as one, copied together where the stack does that. */
  private void gather(TckRig rig, MemoryBlock block) {
    if (has(Behavior.COPIES_TOGETHER)) {
      try (LinearMapping linear = rig.mapper().newLinear()) {
        linear.map(scattered(block), DmaDirection.FROM_DEVICE, 0, LinearPolicy.MAY_BOUNCE);
      }
    }
  }

  private Ranges scattered(MemoryBlock block) {
    return new Ranges().add(block.phys(crooked()), rounded(5000)).add(block.phys(spaced(64 << 10)), rounded(9000)).add(block.phys(spaced(128 << 10)), rounded(3));
  }

  /** E2c. */
  @Test
  @Tag("breaks:link-overlaps+not-memory")
  default void e2cRefusedCallsTakeNothing() {
    MemoryBlock block = rig().memory(spaced(256 << 10));
    work(rig(), block);
    long unit = unitOf(rig());
    long beyond = (rig().machine().memory().highestAddress() | 0xfff_ffff) + 1;
    for (int i = 0; i < 600; i++) {
      refused(() -> rig().mapper().map(beyond, 1 << 20, DmaDirection.TO_DEVICE, 0));
    }
    if (has(Behavior.TRANSLATES)) {
      MemoryBlock small = rig().memory(unit * 2);
      try (IovaReservation window = rig().mapper().newReservation()) {
        window.tryAlloc(small.phys(0), unit * 4, DmaDirection.BIDIRECTIONAL, 0);
        window.link(unit, small.phys(0), unit);
        for (int i = 0; i < 600; i++) {
          refused(() -> window.link(unit, small.phys(unit), unit));
          refused(() -> window.link(0, small.phys(0), unit * 2));
        }
        window.unlink(unit, unit);
        window.free();
      }
    }
    work(rig(), block);
  }

  private static void refused(Runnable work) {
    try {
      work.run();
    } catch (DmaMappingException e) {
      return;
    }
    throw new AssertionError("what was refused once must be refused again");
  }

  /** Some of everything, undone again. */
  private void work(TckRig rig, MemoryBlock block) {
    try (DmaMapping mapping = rig.map(block, crooked(), rounded(20_000), DmaDirection.BIDIRECTIONAL)) {
      rig.device().tryRead(mapping.dmaAddress(), 64);
    }
    try (DmaTransfer transfer = rig.mapper().newTransfer()) {
      transfer.map(scattered(block), DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> true);
    }
    try (DmaBuffer buffer = rig.mapper().allocateCoherent(3000)) {
      rig.device().tryWrite(buffer.dmaAddress(), new byte[8]);
    }
    if (has(Behavior.STAGES_FOREIGN_MEMORY)) {
      try (DmaMapping staged = rig.mapper().map(MemorySegment.ofArray(new byte[5000]), DmaDirection.FROM_DEVICE, 0)) {
        rig.device().tryWrite(staged.dmaAddress(), new byte[5000]);
      }
    }
    if (has(Behavior.SPARSE_WINDOWS)) {
      long unit = Math.max(4096, granuleOf(rig));
      try (SparseWindow window = rig.mapper().newWindow(unit * 4, unit, DmaDirection.BIDIRECTIONAL, 0)) {
        window.link(unit, block.phys(0), unit, DmaDirection.BIDIRECTIONAL);
        window.link(3 * unit, block.phys(0), unit, DmaDirection.TO_DEVICE);
        window.unlink(unit, unit);
      }
    }
    if (has(Behavior.TRANSLATES)) {
      long unit = unitOf(rig);
      try (IovaReservation window = rig.mapper().newReservation()) {
        window.tryAlloc(block.phys(0), unit * 4, DmaDirection.TO_DEVICE, 0);
        window.link(0, block.phys(0), unit);
        window.link(2 * unit, block.phys(0), unit);
        window.sync(0, 4 * unit);
        window.unlink(0, unit);
      }
    }
  }
}
