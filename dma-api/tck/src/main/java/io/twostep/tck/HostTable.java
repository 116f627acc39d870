package io.twostep.tck;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.tck.FaultPlan.Call;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A host kernel's mappings: runs that can only be unmapped whole, at most so many, and the way a device goes through them. */
public final class HostTable implements HostManagedIommu {
  private static final long HIGHEST = (1L << 39) - 1;

  /** As on hosts that keep addresses between for themselves. */
  private static final List<AddressRange> WINDOWS =
      List.of(new AddressRange(0, 0x7fff_ffffL, "below what the host keeps"), new AddressRange(0x8100_0000L, HIGHEST, "above what the host keeps"));

  private static final long SLOTS = 4096;

  private record Run(long phys, long length, int access) {}

  private final FaultPlan faults;
  private final long granule;
  private final boolean writersRead;
  private final TreeMap<Long, Run> runs = new TreeMap<>(Long::compareUnsigned);

  private long garbage;

  /**
   * Create an empty table.
   *
   * @param faults what makes {@link Call#HOST_MAP} and {@link Call#HOST_UNMAP} fail
   * @param granule bytes, a power of two
   */
  public HostTable(FaultPlan faults, long granule) {
    this(faults, granule, false);
  }

  /** Create an empty table of a host that may let devices read what they may write. */
  HostTable(FaultPlan faults, long granule, boolean writersRead) {
    this.faults = faults;
    this.granule = granule;
    this.writersRead = writersRead;
  }

  @Override
  public boolean enforcesWriteOnly() {
    return !writersRead;
  }

  @Override
  public long granule() {
    return granule;
  }

  @Override
  public List<AddressRange> windows() {
    return WINDOWS;
  }

  @Override
  public long highestIova() {
    return HIGHEST;
  }

  @Override
  public void onFault(FaultListener listener) {}

  @Override
  public synchronized long mappingSlots() {
    return SLOTS - runs.size();
  }

  /** Return how many runs are mapped. */
  public synchronized int mappings() {
    return runs.size();
  }

  /** Returns the heap bytes that its books have taken from the threads that call it. */
  synchronized long garbage() {
    return garbage;
  }

  @Override
  public synchronized void map(long iova, long phys, long length, int access) {
    long before = Allocation.allocatedBytes();
    add(iova, phys, length, access);
    garbage += Allocation.allocatedBytes() - before;
  }

  private void add(long iova, long phys, long length, int access) {
    if (faults.hits(Call.HOST_MAP)) {
      throw new DmaMappingException(Reason.PIN_LIMIT, "the host pins no more: the kit says so");
    }
    if (mappingSlots() == 0) {
      throw new DmaMappingException(Reason.MAPPING_SLOTS, "the host has no slot left");
    }
    if (WINDOWS.stream().noneMatch(window -> window.first() <= iova && iova + length - 1 <= window.last())) {
      throw new DmaMappingException(Reason.OUT_OF_BOUNDS, "the host does not allow 0x%x+0x%x".formatted(iova, length));
    }
    Map.Entry<Long, Run> before = runs.floorEntry(iova + length - 1);
    if (((iova | phys | length) & granule - 1) != 0 || length == 0 || access == 0 || (before != null && before.getKey() + before.getValue().length > iova)) {
      throw new DmaMappingException(Reason.ALREADY_LINKED, "bad or overlapping 0x%x+0x%x".formatted(iova, length));
    }
    runs.put(iova, new Run(phys, length, writersRead && (access & MapFlags.DEVICE_WRITES) != 0 ? access | MapFlags.DEVICE_READS : access));
  }

  @Override
  public synchronized long unmap(long iova, long length) {
    long before = Allocation.allocatedBytes();
    long done = remove(iova, length);
    garbage += Allocation.allocatedBytes() - before;
    return done;
  }

  private long remove(long iova, long length) {
    if (faults.hits(Call.HOST_UNMAP)) {
      return 0;
    }
    long done = 0;
    while (done < length) {
      Run run = runs.get(iova + done);
      if (run == null || run.length > length - done) {
        throw new IllegalStateException("0x%x+0x%x is not made of whole runs".formatted(iova, length));
      }
      runs.remove(iova + done);
      done += run.length;
    }
    return done;
  }

  /** Return what stands between a device and the bus. */
  public BusMaster translate(BusMaster bus) {
    return new BusMaster() {
      @Override
      public int read(long dmaAddress, MemorySegment target, long offset, long length) {
        return pieces(dmaAddress, length, 1, (phys, at, bytes) -> bus.read(phys, target, offset + at, bytes));
      }

      @Override
      public int write(long dmaAddress, MemorySegment source, long offset, long length) {
        return pieces(dmaAddress, length, 2, (phys, at, bytes) -> bus.write(phys, source, offset + at, bytes));
      }
    };
  }

  private interface Access {
    int move(long phys, long at, long bytes);
  }

  private int pieces(long iova, long length, int access, Access move) {
    for (long at = 0; at < length; ) {
      long bytes = Math.min(length - at, granule - (iova + at & granule - 1));
      long phys = physOf(iova + at, access);
      int status = phys == -1 ? BusMaster.UNSUPPORTED_REQUEST : move.move(phys, at, bytes);
      if (status != BusMaster.OK) {
        return status;
      }
      at += bytes;
    }
    return BusMaster.OK;
  }

  private synchronized long physOf(long iova, int access) {
    Map.Entry<Long, Run> run = runs.floorEntry(iova);
    return run == null || iova - run.getKey() >= run.getValue().length || (run.getValue().access & access) == 0
        ? -1
        : run.getValue().phys + (iova - run.getKey());
  }
}
