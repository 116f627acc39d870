package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.tck.FaultPlan.Call;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E12l, E12m, E13d and E13e: a device goes, or its mapper or machine does, while mappings live; they are torn down in order, and nothing else works. */
public interface DepartureRules extends TckFixture {
  /** E12l. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e12lEveryHandleOfADetachedDeviceIsTornDownAndDoesNothingElse() {
    requireOnlyTeardown(false, false);
  }

  /** E12l. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e12lEveryHandleOfADetachedDeviceIsTornDownInABatch() {
    requireOnlyTeardown(false, true);
  }

  /** E12l. */
  @Test
  default void e12lEveryHandleOfADeviceThatWasPulledOutIsTornDown() {
    requireOnlyTeardown(true, false);
  }

  private void requireOnlyTeardown(boolean pulledOut, boolean batched) {
    int length = (int) rounded(5000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    long second = crooked() + spaced(32 << 10);
    byte[] written = Bytes.random(length, 3);
    List<Long> addresses = new ArrayList<>();
    DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE);
    addresses.add(mapping.dmaAddress());
    DmaTransfer transfer = rig().mapper().newTransfer();
    Ranges source = new Ranges().add(block.phys(second), length);
    transfer.map(source, DmaDirection.FROM_DEVICE, 0, (address, bytes, kind) -> addresses.add(address));
    DmaBuffer buffer = rig().mapper().allocateCoherent(5000);
    DmaTransfer idle = rig().mapper().newTransfer();
    rig().device().write(addresses.get(0), written);
    rig().device().write(addresses.get(1), written);

    if (pulledOut) {
      rig().machine().unplug(rig().slot());
      assertThat(rig().device().tryWrite(addresses.get(0), Bytes.random(8, 9))).as("a device that is gone writes").isFalse();
    }
    assertThat(rig().mapper().detach()).as("live handles").isEqualTo(3);
    refusesDetached(() -> mapping.syncForCpu(0, 64));
    refusesDetached(() -> transfer.syncForDevice(0, 64));
    refusesDetached(() -> idle.map(source, DmaDirection.FROM_DEVICE, 0, (address, bytes, kind) -> true));
    refusesDetached(() -> rig().map(block, 0, rounded(64), DmaDirection.TO_DEVICE));
    refusesDetached(() -> rig().mapper().allocateCoherent(64));
    refusesDetached(() -> rig().mapper().newReservation());
    idle.close();

    if (batched) {
      try (InvalidationBatch batch = rig().mapper().newBatch()) {
        mapping.unmap(batch);
        transfer.unmap(batch);
      }
    }
    mapping.close();
    transfer.close();
    buffer.close();
    assertThat(rig().mapper().liveMappings()).isZero();
    if (!pulledOut && has(Behavior.TRANSLATES)) {
      addresses.forEach(address -> rig().device().requireRefused(address, "it was torn down, strictly, because its device is detached"));
    }
    assertThat(Bytes.of(block, crooked(), length)).as("what was mapped").isEqualTo(written);
    assertThat(Bytes.of(block, second, length)).as("what was transferred").isEqualTo(written);
  }

  /** E12l. */
  @Test
  @Tag("breaks:device-used-unlinked+device-used-unmapped")
  default void e12lWindowsOfADetachedDeviceAreTornDownAndTakeNothingMore() {
    needs(Behavior.TRANSLATES);
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit * 4);
    byte[] written = Bytes.random(64, 5);
    List<SparseWindow> windows = new ArrayList<>();
    IovaReservation reservation = rig().mapper().newReservation();
    reservation.tryAlloc(block.phys(0), unit * 2, DmaDirection.BIDIRECTIONAL, 0);
    reservation.link(0, block.phys(0), unit);
    reservation.sync(0, unit);
    rig().device().write(reservation.address(), written);
    if (has(Behavior.SPARSE_WINDOWS)) {
      SparseWindow window = rig().mapper().newWindow(unit * 4, unit, DmaDirection.BIDIRECTIONAL, 0);
      windows.add(window);
      window.link(unit, block.phys(2 * unit), unit, DmaDirection.BIDIRECTIONAL);
      rig().device().write(window.address() + unit, written);
    }
    assertThat(rig().mapper().detach()).isEqualTo(1 + windows.size());
    refusesDetached(() -> reservation.link(unit, block.phys(unit), unit));
    refusesDetached(() -> reservation.sync(0, unit));
    for (SparseWindow window : windows) {
      refusesDetached(() -> window.link(0, block.phys(unit), unit, DmaDirection.BIDIRECTIONAL));
      long at = window.address() + unit;
      window.unlink(unit, unit);
      rig().device().requireRefused(at, "its unit was unlinked");
      window.close();
      assertThat(Bytes.of(block, 2 * unit, 64)).isEqualTo(written);
    }
    long at = reservation.address();
    reservation.destroy();
    reservation.close();
    rig().device().requireRefused(at, "its window was destroyed");
    assertThat(Bytes.of(block, 0, 64)).isEqualTo(written);
    assertThat(rig().mapper().liveMappings()).isZero();
  }

  /** E12m. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e12mTeardownAfterDetachReturnsAndQuarantinesWhatItCannotConfirm() {
    needs(Behavior.TRANSLATES);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    DmaMapping mapping = rig().map(block, crooked(), rounded(5000), DmaDirection.FROM_DEVICE);
    long stuck = mapping.dmaAddress();
    byte[] written = Bytes.random(64, 7);
    rig().device().write(stuck, written);
    rig().mapper().detach();
    rig().machine().faults().arm(setup().hostManaged() ? Call.HOST_UNMAP : Call.INVALIDATE, 1);
    DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, mapping::close);
    assertThat(refusal).as("a teardown that could not be confirmed").isNotNull();
    assertThat(refusal.reason()).isEqualTo(Reason.QUARANTINED);
    assertThat(refusal.getMessage()).as("what is withheld").contains("0x");
    assertThat(rig().mapper().liveMappings()).as("the handle is gone all the same").isZero();
    assertThat(rig().mapper().quarantined()).isEqualTo(1);
    assertThatThrownBy(block::close).as("the device may still reach the memory").isInstanceOf(IllegalStateException.class);
    rig().slot().reset();
    rig().slot().busMaster(true);
    assertThat(rig().mapper().releaseQuarantined()).isZero();
    rig().device().requireRefused(stuck, "it was released from quarantine");
    assertThat(Bytes.of(block, crooked(), 64)).as("what the device wrote before").isEqualTo(written);
  }

  /** E13d. */
  @Test
  @Tag("breaks:leaked-coherent+leaked-mapping")
  default void e13dHandlesOutliveTheirMapperAndAreTornDown() {
    int length = (int) rounded(5000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    byte[] written = Bytes.random(length, 11);
    DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE);
    DmaBuffer buffer = rig().mapper().allocateCoherent(5000);
    rig().device().write(mapping.dmaAddress(), written);
    rig().mapper().close();
    assertThat(rig().mapper().liveMappings()).as("handles that still hold something").isEqualTo(2);
    refusesDetached(() -> mapping.syncForCpu(0, 64));
    mapping.close();
    buffer.close();
    assertThat(rig().mapper().liveMappings()).isZero();
    assertThat(Bytes.of(block, crooked(), length)).isEqualTo(written);
  }

  /** E13e. */
  @Test
  default void e13eMachineClosedUnderLiveMappingsLeavesThemToBeTornDown() {
    TckRig other = open(setup());
    MemoryBlock block = other.memory(spaced(64 << 10));
    int length = (int) rounded(5000);
    byte[] written = Bytes.random(length, 13);
    DmaMapping mapping = other.map(block, crooked(), length, DmaDirection.FROM_DEVICE);
    DmaTransfer transfer = other.mapper().newTransfer();
    transfer.map(
        new Ranges().add(block.phys(crooked() + spaced(32 << 10)), length), DmaDirection.BIDIRECTIONAL, 0, (address, bytes, kind) -> true);
    DmaBuffer buffer = other.mapper().allocateCoherent(5000);
    other.device().write(mapping.dmaAddress(), written);
    other.machine().close();
    mapping.close();
    transfer.close();
    buffer.close();
    assertThat(other.mapper().liveMappings()).as("handles once they were torn down").isZero();
    assertThat(other.mapper().quarantined()).as("teardowns that were not confirmed").isZero();
    other.close();
  }

  private static void refusesDetached(ThrowingCallable work) {
    DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, work);
    assertThat(refusal).as("a refusal, because the device is detached").isNotNull();
    assertThat(refusal.reason()).as(refusal.getMessage()).isEqualTo(Reason.DETACHED);
  }
}
