package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.run.FaultListeners;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaRuns;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

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
  private final DmaRuns runs = new DmaRuns();
  private final FaultListeners listeners = new FaultListeners();

  /**
   * Create.
   *
   * @param byDescriptor whether the server gets descriptors, or has to ask for every byte
   * @param slots mappings that may live at a time
   * @param addressBits width of I/O addresses
   * @throws DmaMappingException DETACHED if no page of the server's fits into them
   */
  RemoteIommu(
      DeviceAddress address, Connection connection, RemoteDevice device, DeviceMemory memory, boolean byDescriptor, int slots, int addressBits) {
    this.address = address;
    this.connection = connection;
    this.device = device;
    this.memory = memory;
    this.byDescriptor = byDescriptor;
    this.slots = slots;
    highest = addressBits == 64 ? -1L : (1L << addressBits) - 1;
    granule = Math.max(memory.frameSize(), requireRoom(connection.server().granule(), addressBits));
  }

  /** The first page is never used: there has to be another, and its length has to be a number. */
  private long requireRoom(long page, int addressBits) {
    if (page < 0 || page > highest >>> 1) {
      throw connection.lose("maps no less than 0x%x bytes at a time, which does not fit into 'address-bits' of %d".formatted(page, addressBits), null);
    }
    return page;
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
    return (long) slots - live();
  }

  /** Return whether the server has to ask: who holds a block's file reads all of it, whatever a map says. */
  @Override
  public boolean enforcesWriteOnly() {
    return !byDescriptor;
  }

  @Override
  public void onFault(FaultListener listener) {
    listeners.add(listener);
  }

  @Override
  public void map(long iova, long phys, long length, int access) {
    connection.requireAlive();
    long done = 0;
    try {
      while (done < length) {
        done += mapRun(iova + done, phys + done, length - done, access);
      }
    } catch (RuntimeException e) {
      throw undone(iova, done, e);
    }
  }

  /** Take back what a failing call has mapped. A server that does not let go of it knows more than the caller, who takes all of it for unmapped: it is lost. */
  private RuntimeException undone(long iova, long length, RuntimeException failure) {
    if (unmapRuns(iova, length) == length || connection.isLost()) {
      return failure;
    }
    return connection.lose("keeps 0x%x+0x%x, which it was asked to let go of when a part of the same map failed: %s".formatted(iova, length, failure.getMessage()), failure);
  }

  /** A range that spans adjacent blocks spans files, and is a run for each. Returns the bytes of the first. */
  private long mapRun(long iova, long phys, long most, int access) {
    DeviceMemory.FileRun file = memory.fileAt(phys);
    if (file == null) {
      throw new DmaMappingException(Reason.NOT_BACKED, "%s: no memory at 0x%x to map at 0x%x".formatted(connection.device(), phys, iova));
    }
    long within = phys - file.bytes().address();
    long length = Math.min(most, file.bytes().byteSize() - within);
    synchronized (runs) {
      if (runs.count() >= slots) {
        throw new DmaMappingException(
            Reason.MAPPING_SLOTS,
            "%s: no slot is left for 0x%x+0x%x: %d mappings live, which is all that 'dma-maps' and the server allow; unmap some".formatted(connection.device(), iova, length, slots));
      }
      if (!runs.tryAdd(iova, length, access, file.bytes(), within)) {
        throw new DmaMappingException(Reason.ALREADY_LINKED, "%s: part of 0x%x+0x%x is mapped already".formatted(connection.device(), iova, length));
      }
    }
    try {
      device.map(iova, length, access, byDescriptor ? file.offset() + within : 0, byDescriptor ? file.file() : List.of());
    } catch (RefusedException e) {
      forget(iova);
      throw new DmaMappingException(
          Reason.BACKEND,
          "%s, of 0x%x+0x%x with %d mappings live; some servers take 64 and no more: set 'dma-maps', or 'addressing' to registered"
              .formatted(e.getMessage(), iova, length, live()),
          e);
    }
    return length;
  }

  @Override
  public long unmap(long iova, long length) {
    for (long done = 0; done < length; ) {
      long run = lengthOf(iova + done);
      if (run == 0 || run > length - done) {
        throw new IllegalStateException("%s: 0x%x+0x%x is not made of whole mappings".formatted(connection.device(), iova, length));
      }
      done += run;
    }
    return unmapRuns(iova, length);
  }

  /** Returns the bytes of the run that begins there, 0 if none does. */
  private long lengthOf(long iova) {
    synchronized (runs) {
      int run = runs.beginningAt(iova);
      return run < 0 ? 0 : runs.length(run);
    }
  }

  private long unmapRuns(long iova, long length) {
    long confirmed = 0;
    for (long done = 0; done < length; ) {
      long run = lengthOf(iova + done);
      if (run == 0) {
        throw new IllegalStateException("%s: 0x%x was unmapped by another thread".formatted(connection.device(), iova + done));
      }
      confirmed += unmapRun(iova + done, run);
      done += run;
    }
    return confirmed;
  }

  private long unmapRun(long iova, long length) {
    long confirmed;
    try {
      confirmed = device.unmap(iova, length);
    } catch (RefusedException | DmaMappingException e) {
      return 0;
    }
    if (confirmed == length) {
      forget(iova);
    }
    return confirmed;
  }

  private void forget(long iova) {
    synchronized (runs) {
      int run = runs.beginningAt(iova);
      if (run >= 0) {
        runs.remove(run);
      }
    }
  }

  @Override
  public int read(long iova, MemorySegment to, long offset, long length) {
    return access(iova, to, offset, length, DmaMap.READ);
  }

  @Override
  public int write(long iova, MemorySegment from, long offset, long length) {
    return access(iova, from, offset, length, DmaMap.WRITE);
  }

  private int access(long iova, MemorySegment bytes, long offset, long length, int access) {
    FaultRecord.Cause cause;
    long done = 0;
    synchronized (runs) {
      int run = runs.at(iova);
      while (run >= 0 && runs.allows(run, access)) {
        long within = iova + done - runs.iova(run);
        long now = Math.min(runs.length(run) - within, length - done);
        copy(run, within, bytes, offset + done, now, access);
        done += now;
        if (done == length) {
          return 0;
        }
        run = runs.at(iova + done);
      }
      cause = run < 0 ? FaultRecord.Cause.NOT_PRESENT : FaultRecord.Cause.PERMISSION;
    }
    listeners.tell(new FaultRecord(address, iova + done, access == DmaMap.WRITE, cause));
    return Errno.EFAULT;
  }

  private void copy(int run, long within, MemorySegment bytes, long offset, long length, int access) {
    MemorySegment memory = Objects.requireNonNull(runs.memory(run));
    if (access == DmaMap.READ) {
      MemorySegment.copy(memory, runs.offset(run) + within, bytes, offset, length);
    } else {
      MemorySegment.copy(bytes, offset, memory, runs.offset(run) + within, length);
    }
  }

  /** Return how many mappings the server holds, as far as it confirmed. */
  int live() {
    synchronized (runs) {
      return runs.count();
    }
  }
}
