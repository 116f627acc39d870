package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.FlushQueue;
import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** What the primitives of one device have in common, whoever keeps the tables: its I/O addresses, its granules, and the rules of edges. */
abstract sealed class TranslatingOps implements DmaOps permits TableOps, HostOps {
  final IovaAllocator allocator;
  final IovaSource addresses;
  final PhysicalMemory memory;
  final EdgeRule edges;
  final Refusals refusals;
  final long granuleMask;
  final int granuleShift;

  /** The low bits that an I/O address shares with the physical one: those of the granule, or more where the device needs them. */
  final long alignMask;

  final long alignGranules;
  private final Runnable detached;

  /**
   * Serve the device of {@code context}.
   *
   * @param queue what waits for a flush; null where nothing does
   * @param detached runs when the ops are closed
   */
  TranslatingOps(SharedSpace space, AttachContext context, @Nullable FlushQueue queue, Runnable detached) {
    this.detached = detached;
    allocator = space.iova;
    memory = context.machine().memory();
    refusals = new Refusals(context.device());
    addresses = new IovaSource(space, context, queue, refusals);
    edges = EdgeRule.of(context, space.granule, space.untrusted, refusals);
    granuleMask = space.granule - 1;
    granuleShift = Long.numberOfTrailingZeros(space.granule);
    alignMask = Math.max(granuleMask, context.limits().minAlignMask());
    alignGranules = (alignMask + 1) >>> granuleShift;
  }

  @Override
  public final String device() {
    return refusals.device();
  }

  @Override
  public final long granule() {
    return granuleMask + 1;
  }

  @Override
  public final long unit() {
    return granuleMask + 1;
  }

  @Override
  public final boolean translates() {
    return true;
  }

  @Override
  public final long maxMappingLength() {
    return addresses.mostBytes();
  }

  @Override
  public boolean reaches(long phys, long length) {
    return edges.allows(phys, length, 0) && length <= maxMappingLength();
  }

  /** Return LOCAL for ordinary memory; without a layer that knows the fabric, peers cannot be reached. */
  @Override
  public final int classify(long phys, long length) {
    return memory.regionOf(phys, length).kind() == MemoryKind.RAM ? RangeKind.LOCAL : RangeKind.UNREACHABLE;
  }

  /** Do nothing: a coherent device and the CPU see the same memory. */
  @Override
  public final void sync(MappingState state, long offset, long length, int toward) {}

  @Override
  public final void close() {
    detached.run();
  }

  /**
   * Have the addresses of a request given back when the batch completes; then the state holds nothing.
   *
   * @param keeper says who keeps them; 0 for nobody
   */
  final void giveBack(MappingState state, long base, long keeper, Retirement batch) {
    batch.retire(Retirement.IOVA, this, base, state.allocated >>> granuleShift, keeper);
    state.allocated = 0;
  }

  final long roundUp(long address) {
    return address + granuleMask & ~granuleMask;
  }
}
