package io.twostep.backend.swiotlb;

import io.twostep.backend.swiotlb.pool.PoolStatistics;
import io.twostep.backend.swiotlb.pool.SlotRules;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.PhysicalMemory;
import java.util.HashMap;
import java.util.Map;

/**
 * Bounce what a device cannot reach, must not see, or cannot share cache lines with.
 *
 * <p>Devices of one address space and equal reach share slots; address spaces share nothing. Slot memory is allocated when it is first needed and given back with the last device.
 * Thread-safe.
 */
public final class SwiotlbBackend implements LayerBackend {
  static final String NAME = "swiotlb";

  private record Key(AddressSpace space, SlotReach reach) {}

  private final SwiotlbConfig config;
  private final Map<Key, SpacePool> pools = new HashMap<>();
  private final Counters closed = new Counters();
  private final OpenState open = new OpenState();

  /** Create a layer without devices. */
  public SwiotlbBackend(SwiotlbConfig config) {
    this.config = config;
  }

  @Override
  public String name() {
    return NAME;
  }

  /** Return how the layer works. */
  public SwiotlbConfig config() {
    return config;
  }

  /**
   * Attach a device above {@code next}.
   *
   * @return {@code next} itself if nothing of the device is ever bounced and nothing is to be staged
   * @throws DmaMappingException UNSUPPORTED if the device wants more low bits kept than an area has, or has too small a quota for one buffer
   * @throws IllegalStateException if the layer is closed
   */
  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    synchronized (pools) {
      open.requireOpen(this, context);
      boolean bounces = config.force() || (next.translates() ? needsEdges(context, next) : needsReach(context, next));
      if (!bounces && !config.stage()) {
        return next;
      }
      Key key = new Key(context.space(), SlotReach.of(context, next.translates()));
      PhysicalMemory memory = context.machine().memory();
      SpacePool shared = pools.get(key);
      if (shared == null) {
        shared = new SpacePool(config, key.reach(), memory);
      }
      DeviceSlots slots = new DeviceSlots(context, shared, rules(context, next), config.quota(), next.enforcesWriteOnly(), this::detach);
      pools.put(key, shared);
      shared.devices++;
      if (!bounces) {
        return new StagingOps(next, slots, context.layer());
      }
      return next.translates()
          ? new TranslatedBounceOps(next, slots, context, config.force())
          : new DirectBounceOps(next, slots, context.layer(), config.force());
    }
  }

  /** Behind an IOMMU all memory is in reach; what bounces is edges. */
  private static boolean needsEdges(AttachContext context, DmaOps next) {
    return context.untrusted() || !context.slot().coherent() || next.granule() > context.machine().memory().frameSize();
  }

  private static boolean needsReach(AttachContext context, DmaOps next) {
    PhysicalMemory memory = context.machine().memory();
    return !context.slot().coherent()
        || !context.space().offsetWindows().isEmpty()
        || !next.reaches(memory.highestAddress() & -memory.frameSize(), memory.frameSize());
  }

  private static SlotRules rules(AttachContext context, DmaOps next) {
    long granuleMask = next.granule() - 1;
    return new SlotRules(granuleMask, Math.max(granuleMask, context.limits().minAlignMask()), context.limits().segmentBoundaryMask());
  }

  private void detach(SpacePool shared) {
    synchronized (pools) {
      if (--shared.devices == 0) {
        pools.values().remove(shared);
        shared.close();
        closed.add(shared.counters);
      }
    }
  }

  /** Return what is held now and what was done since the layer was made. */
  public SwiotlbStatistics statistics() {
    synchronized (pools) {
      Counters sum = new Counters();
      sum.add(closed);
      PoolStatistics held = PoolStatistics.NONE;
      int devices = 0;
      for (SpacePool shared : pools.values()) {
        sum.add(shared.counters);
        held = held.plus(shared.pool.statistics());
        devices += shared.devices;
      }
      return new SwiotlbStatistics(
          held.slots(),
          held.used(),
          held.highWater(),
          held.areas(),
          held.grownAreas(),
          devices,
          sum.bytesIn.sum(),
          sum.bytesOut.sum(),
          sum.exhausted.sum(),
          sum.noMemory.sum(),
          sum.tooLarge.sum(),
          sum.forbidden.sum(),
          sum.quota.sum(),
          sum.lostSlots.sum());
    }
  }

  /**
   * Check that every device is detached, and serve no more; may be repeated.
   *
   * @throws IllegalStateException if one is not; its mapper must be closed first, and nothing has changed
   */
  @Override
  public void close() {
    synchronized (pools) {
      if (!pools.isEmpty()) {
        throw new IllegalStateException(
            "layer swiotlb still serves " + pools.keySet().stream().map(key -> key.space().name()).sorted().toList() + "; close their mappers and unmap what is still mapped first");
      }
      open.close();
    }
  }
}
