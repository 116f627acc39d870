package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Memory that another driver exported, for one device: mapped when the device asks for it, let go of when the exporter takes it back, and mapped again, wherever it is by then, when the device asks after the
 * exporter has restored it.
 *
 * <p>Taken back, the device's entries go and the device is awaited, then the import is unmapped. Thread-safe: the exporter takes back from any thread.
 */
public final class ExportedUmem implements AutoCloseable {
  private static final long PAGE = 4096;

  private final DmaMapper mapper;
  private final ExportedBuffer buffer;
  private final DevicePageTable table;
  private final DmaDirection access;
  private final int attributes;
  private final ReentrantLock lock = new ReentrantLock();
  private final ImportedBuffer imported;
  private boolean mapped;
  private boolean mapping;
  private boolean lost;
  private boolean closed;

  /** Nothing is left to give back. */
  private boolean gone;

  private long invalidations;
  private @Nullable RuntimeException deviceFailure;

  private ExportedUmem(DmaMapper mapper, ExportedBuffer buffer, int access, DevicePageTable table) {
    this.mapper = mapper;
    this.buffer = buffer;
    this.table = table;
    this.access = AccessFlags.direction(access);
    attributes = DmaAttributes.REQUIRE_COHERENT | ((access & AccessFlags.RELAXED_ORDERING) != 0 ? DmaAttributes.WEAK_ORDERING : 0);
    imported = buffer.attach(mapper, this::takenBack);
  }

  /**
   * Attach to a buffer; nothing is mapped yet.
   *
   * @param access {@link AccessFlags}
   * @param table the device's entries, all absent
   * @throws DmaMappingException REVOKED while the buffer is taken back, PEER_UNREACHABLE if the device has no way to it
   */
  public static ExportedUmem attach(DmaMapper mapper, ExportedBuffer buffer, int access, DevicePageTable table) {
    return new ExportedUmem(mapper, buffer, AccessFlags.check(access), table);
  }

  /** Return the bytes of the buffer. */
  public long length() {
    return buffer.length();
  }

  /** Return how often the buffer was taken back while the device had it. */
  public long invalidations() {
    lock.lock();
    try {
      return invalidations;
    } finally {
      lock.unlock();
    }
  }

  /** Tell whether the device has it now. */
  public boolean isMapped() {
    lock.lock();
    try {
      return mapped;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Let the device have the buffer, all of it; nothing if it has.
   *
   * @throws DmaMappingException REVOKED while it is taken back, or why it cannot be mapped; nothing is mapped then
   * @throws PageFaultException PAGE_SIZE if its ranges do not lie on pages of 4 KiB; nothing is mapped then
   * @throws IllegalStateException if the region is closed, or its device did not take entries back
   */
  public void fault() {
    lock.lock();
    try {
      if (closed || deviceFailure != null) {
        throw new IllegalStateException(
            mapper.slot().address() + ": the region over " + buffer + (closed ? " is closed" : " was not taken back by the device; reset it and register anew"), deviceFailure);
      }
      if (!mapped) {
        map();
      }
    } finally {
      lock.unlock();
    }
  }

  private void map() {
    DmaExtents extents = new DmaExtents();
    lost = false;
    mapping = true;
    try {
      imported.map(access, attributes, extents);
    } finally {
      mapping = false;
    }
    if (lost) {
      imported.unmap();
      throw new DmaMappingException(Reason.REVOKED, mapper.slot().address() + ": " + buffer + " was taken back while it was mapped; fault again");
    }
    mapped = true;
    try {
      set(extents);
    } catch (RuntimeException e) {
      letGo(e);
      throw e;
    }
  }

  private void set(DmaExtents extents) {
    long offset = 0;
    for (int i = 0; i < extents.count(); i++) {
      long last = i == extents.count() - 1 ? 0 : extents.length(i);
      if (((extents.dmaAddress(i) | last) & (PAGE - 1)) != 0) {
        throw new PageFaultException(
            PageFaultException.Kind.PAGE_SIZE, "%s: range %d of %s does not lie on pages of 4 KiB; export whole pages".formatted(mapper.slot().address(), i, buffer));
      }
      table.set(offset, extents.length(i) + PAGE - 1 & -PAGE, extents.dmaAddress(i), access);
      offset += extents.length(i);
    }
    table.commit();
  }

  private void letGo(RuntimeException cause) {
    try {
      release();
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
  }

  /** Take everything from the device, then unmap; under the lock. While the device may name them, the import's I/O addresses must not become another's: taken back, it still holds those. */
  private void release() {
    try {
      table.zap(0, buffer.length() + PAGE - 1 & -PAGE);
      table.commit();
    } catch (RuntimeException e) {
      deviceFailure = e;
      throw e;
    }
    mapped = false;
    imported.unmap();
  }

  private void takenBack() {
    lock.lock();
    try {
      if (mapping) {
        lost = true;
      } else if (mapped) {
        invalidations++;
        release();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Take the buffer from the device and detach. May be repeated.
   *
   * @throws RuntimeException if the device could not be proved away: the import goes on holding the memory, or only its I/O addresses if it was taken back; closing may be tried again
   */
  @Override
  public void close() {
    lock.lock();
    try {
      if (gone) {
        return;
      }
      closed = true;
      if (mapped) {
        release();
      }
      imported.close();
      gone = true;
    } finally {
      lock.unlock();
    }
  }
}
