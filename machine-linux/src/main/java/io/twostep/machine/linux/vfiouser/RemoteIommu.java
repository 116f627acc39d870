package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.vfiouser.MappedRuns.Run;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The server's map of the client's memory, seen as an IOMMU that a host programs: a mapping is a DMA_MAP, its end a DMA_UNMAP that the server confirms.
 *
 * <p>What a lost server had mapped is never confirmed: it may still hold the memory. Thread-safe.
 */
final class RemoteIommu implements HostManagedIommu, Connection.Target {
  private final DeviceAddress address;
  private final Connection connection;
  private final RemoteDevice device;
  private final DeviceMemory memory;
  private final boolean byDescriptor;
  private final long granule;
  private final long highest;
  private final int slots;
  private final MappedRuns runs = new MappedRuns();
  private final List<FaultListener> listeners = new CopyOnWriteArrayList<>();

  /**
   * Create.
   *
   * @param byDescriptor whether the server gets descriptors, or has to ask for every byte
   * @param slots mappings that may live at a time
   * @param addressBits width of I/O addresses
   */
  RemoteIommu(
      DeviceAddress address, Connection connection, RemoteDevice device, DeviceMemory memory, boolean byDescriptor, int slots, int addressBits) {
    this.address = address;
    this.connection = connection;
    this.device = device;
    this.memory = memory;
    this.byDescriptor = byDescriptor;
    this.slots = slots;
    granule = Math.max(memory.frameSize(), connection.server().granule());
    highest = addressBits == 64 ? -1L : (1L << addressBits) - 1;
  }

  @Override
  public long granule() {
    return granule;
  }

  @Override
  public List<AddressRange> windows() {
    return List.of(new AddressRange(granule, highest, "all but the first page"));
  }

  @Override
  public long highestIova() {
    return highest;
  }

  @Override
  public long mappingSlots() {
    return (long) slots - runs.count();
  }

  @Override
  public void onFault(FaultListener listener) {
    listeners.add(listener);
  }

  @Override
  public void map(long iova, long phys, long length, int access) {
    connection.requireAlive();
    List<Run> made = new ArrayList<>();
    try {
      for (long done = 0; done < length; ) {
        Run run = mapPiece(iova + done, phys + done, length - done, access);
        made.add(run);
        done += run.length();
      }
    } catch (RuntimeException e) {
      for (Run run : made) {
        unmapRun(run);
      }
      throw e;
    }
  }

  /** A run that spans adjacent blocks spans files, and is a mapping for each. */
  private Run mapPiece(long iova, long phys, long most, int access) {
    DeviceMemory.FileRun piece = memory.fileAt(phys, most);
    if (piece == null) {
      throw new DmaMappingException(Reason.NOT_BACKED, "%s: no memory at 0x%x to map at 0x%x".formatted(connection.device(), phys, iova));
    }
    long length = piece.bytes().byteSize();
    if (mappingSlots() <= 0) {
      throw new DmaMappingException(
          Reason.MAPPING_SLOTS,
          "%s: no slot is left for 0x%x+0x%x: %d mappings live, which is all that 'dma-maps' and the server allow; unmap some".formatted(connection.device(), iova, length, slots));
    }
    Run run = new Run(iova, length, access, piece.bytes());
    if (!runs.tryAdd(run)) {
      throw new DmaMappingException(Reason.ALREADY_LINKED, "%s: part of 0x%x+0x%x is mapped already".formatted(connection.device(), iova, length));
    }
    try {
      device.map(new DmaMap(access, byDescriptor ? piece.offset() : 0, iova, length), byDescriptor ? piece.file() : Descriptor.NONE);
    } catch (RefusedException e) {
      runs.remove(run);
      throw new DmaMappingException(
          Reason.BACKEND,
          "%s, of 0x%x+0x%x with %d mappings live; some servers take 64 and no more: set 'dma-maps', or 'addressing' to registered"
              .formatted(e.getMessage(), iova, length, runs.count()),
          e);
    }
    return run;
  }

  @Override
  public long unmap(long iova, long length) {
    long confirmed = 0;
    for (Run run : runs.whole(iova, length)) {
      confirmed += unmapRun(run);
    }
    return confirmed;
  }

  private long unmapRun(Run run) {
    long confirmed;
    try {
      confirmed = device.unmap(run.iova(), run.length());
    } catch (RefusedException | DmaMappingException e) {
      return 0;
    }
    if (confirmed == run.length()) {
      runs.remove(run);
    }
    return confirmed;
  }

  @Override
  public int read(long iova, MemorySegment to) {
    return access(iova, to, DmaMap.READ);
  }

  @Override
  public int write(long iova, MemorySegment from) {
    return access(iova, from, DmaMap.WRITE);
  }

  private int access(long iova, MemorySegment bytes, int access) {
    @Nullable Long refused = runs.copy(iova, bytes, access);
    if (refused == null) {
      return 0;
    }
    FaultRecord.Cause cause = runs.at(refused) == null ? FaultRecord.Cause.NOT_PRESENT : FaultRecord.Cause.PERMISSION;
    FaultRecord fault = new FaultRecord(address, refused, access == DmaMap.WRITE, cause);
    listeners.forEach(listener -> listener.fault(fault));
    return Errno.EFAULT;
  }

  /** Return how many mappings the server holds, as far as it confirmed. */
  int live() {
    return runs.count();
  }
}
