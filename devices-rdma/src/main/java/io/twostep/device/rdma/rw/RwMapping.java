package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.umem.DmaExtents;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;
import io.twostep.dma.TransferPlan;

/** The local memory of one transfer, mapped by a transfer of ranges or into one reserved window. A failed call leaves {@link #unmap} to do the rest. */
final class RwMapping implements AutoCloseable {
  private final DmaMapper mapper;
  private final DmaTransfer transfer;
  private final IovaReservation window;
  private final DmaExtents extents = new DmaExtents();
  private final long[] firstPhys = new long[1];
  private final long[] firstLength = new long[1];
  private boolean inTransfer;
  private boolean inWindow;

  RwMapping(DmaMapper mapper) {
    this.mapper = mapper;
    transfer = mapper.newTransfer();
    window = mapper.newReservation();
  }

  /** Return what the adapter is to be given. */
  DmaExtents extents() {
    return extents;
  }

  /** Map ranges one by one or as the stack pleases. */
  void mapRanges(PhysRanges ranges, DmaDirection direction) {
    extents.clear();
    transfer.map(ranges, direction, DmaAttributes.NONE, extents);
    inTransfer = true;
    requireBytes(extents.length());
  }

  /** Choose for a vector, and map it so. */
  RwReason mapVector(PhysRanges ranges, RwLimits limits, RwOperation operation) {
    TransferPlan plan = transfer.plan(ranges);
    long bytes = plan.bytes();
    requireBytes(bytes);
    boolean translates = plan.isOneWindow() || mapper.limits().translates();
    RwReason chosen = RwRules.vector(limits, operation, plan.ranges(), plan.isOneWindow(), plan.kinds(), translates);
    if (chosen.type() == RwType.IOVA) {
      mapWindow(ranges, bytes, operation.direction());
      return chosen;
    }
    mapRanges(ranges, operation.direction());
    // Copies may lie side by side where what was copied does not.
    return chosen.type() == RwType.MULTI_WR && extents.count() == 1 ? RwReason.ONE_RANGE : chosen;
  }

  private void mapWindow(PhysRanges ranges, long bytes, DmaDirection direction) {
    ranges.rewind();
    ranges.fill(firstPhys, firstLength);
    if (!window.tryAlloc(firstPhys[0], bytes, direction, DmaAttributes.NONE)) {
      throw new IllegalStateException(mapper.slot().address() + ": the stack changed between looking at a vector and mapping it; try again");
    }
    inWindow = true;
    long linked = window.link(0, ranges);
    if (linked != bytes) {
      throw new IllegalArgumentException(
          "%s: the source gave 0x%x bytes and then 0x%x; it must not change until the transfer is destroyed".formatted(mapper.slot().address(), bytes, linked));
    }
    window.sync(0, bytes);
    extents.clear();
    extents.accept(window.address(), bytes, RangeKind.LOCAL);
  }

  private void requireBytes(long bytes) {
    if (bytes == 0) {
      throw new IllegalArgumentException(mapper.slot().address() + ": a transfer of no bytes; give at least one range");
    }
  }

  /** Unmap what is mapped; when this returns the memory is the caller's again. */
  void unmap() {
    if (inWindow) {
      inWindow = false;
      window.destroy();
    }
    if (inTransfer) {
      inTransfer = false;
      transfer.unmap();
    }
  }

  @Override
  public void close() {
    transfer.close();
    window.close();
  }
}
