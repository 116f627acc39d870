package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.mirror.RangeFault;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Timers;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * One process's memory for one device: where on-demand regions are registered. Thread-safe.
 */
public final class OnDemandSource {
  private final DmaMapper mapper;
  private final ProcessMemory process;
  private final RangeFault faults;
  private final LongAdder linked = new LongAdder();

  /** Create a source whose faults fail when pages keep changing for a second of the machine's time. */
  public OnDemandSource(DmaMapper mapper, ProcessMemory process, Timers timers) {
    this(mapper, process, timers, RangeFault.DEFAULT_LIMIT_NANOS);
  }

  /** Create a source with a limit of its own, nanoseconds. */
  public OnDemandSource(DmaMapper mapper, ProcessMemory process, Timers timers, long limitNanos) {
    this.mapper = mapper;
    this.process = process;
    this.faults = new RangeFault(process, timers, limitNanos);
  }

  DmaMapper mapper() {
    return mapper;
  }

  ProcessMemory process() {
    return process;
  }

  RangeFault faults() {
    return faults;
  }

  /** Return how many pages were linked so far in all regions of this source; those linked again count again. */
  public long linkedPages() {
    return linked.sum();
  }

  LongAdder linked() {
    return linked;
  }

  /** Return how often faults of this source had to start again because pages changed. */
  public long retries() {
    return faults.retries();
  }

  /**
   * Register a range; pages that are in memory are linked at once, the others when they are asked for.
   *
   * @param start first address, a multiple of the page size: small pages, or huge ones with {@link AccessFlags#HUGE_PAGES}
   * @param length bytes, a multiple of the page size
   * @param access {@link AccessFlags}
   * @param table the device's entries, all absent; one for each region
   * @throws DmaMappingException UNSUPPORTED if the device would need bounces or cache maintenance, or pages smaller than it can translate; or why there is no window. Nothing
   *     is held then
   */
  public OnDemandUmem register(long start, long length, int access, DevicePageTable table) {
    int checked = AccessFlags.check(access);
    OnDemandUmem umem = open(start, length, checked, table, null);
    try {
      umem.fault(start, length, FaultMode.SNAPSHOT);
      return umem;
    } catch (RuntimeException e) {
      closeAfter(umem, e);
      throw e;
    }
  }

  private static void closeAfter(OnDemandUmem umem, RuntimeException cause) {
    try {
      umem.close();
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
  }

  /** Register the whole address space; pieces of it are registered when they are first asked for, and given up when nothing of them is linked. */
  public ImplicitUmem registerAll(int access, ImplicitPageTables tables) {
    int checked = AccessFlags.check(access);
    requireOnDemand(process.pageSize());
    return new ImplicitUmem(this, checked, tables);
  }

  OnDemandUmem open(long start, long length, int access, DevicePageTable table, @Nullable Runnable afterChange) {
    long pageSize = (access & AccessFlags.HUGE_PAGES) != 0 ? process.hugePageSize() : process.pageSize();
    if (length <= 0 || ((start | length) & (pageSize - 1)) != 0) {
      throw new IllegalArgumentException("%s: a region %#x+%#x must consist of whole pages of %#x".formatted(process.name(), start, length, pageSize));
    }
    if (length / pageSize > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "%s: a region %#x+%#x of %s has more than %d pages of %#x; register it in parts"
              .formatted(mapper.slot().address(), start, length, process.name(), Integer.MAX_VALUE, pageSize));
    }
    requireOnDemand(pageSize);
    return new OnDemandUmem(this, start, length, pageSize, access, table, afterChange);
  }

  /** Refuse a device for which pages cannot come and go without anybody moving their bytes. */
  private void requireOnDemand(long pageSize) {
    String why = null;
    if (!mapper.limits().coherent()) {
      why = "it does not see CPU caches, and nobody would maintain them";
    } else if (!mapper.limits().translates() && mapper.limits().addressingLimited()) {
      why = "pages that it cannot address would have to be bounced";
    } else if (mapper.limits().granule() > pageSize) {
      why = "its smallest page is %#x and those of the process are %#x".formatted(mapper.limits().granule(), pageSize);
    }
    if (why != null) {
      throw new DmaMappingException(Reason.UNSUPPORTED, mapper.slot().address() + ": no on-demand memory for this device: " + why + "; register pinned memory");
    }
  }
}
