package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Memory that its owner shares with drivers of other devices, and may take back or move: what Linux calls a dma-buf.
 *
 * <p>Exports machine memory, such as {@link MemoryBlock#ranges()}, or published peer memory of one device, in any number of ranges: they follow each other in the buffer, whatever their addresses, and offsets are 64
 * bits wide. Importers attach for each device and map the buffer or a part of it, as one range or as entries; what other drivers map of the same memory is none of the buffer's business. Thread-safe.
 *
 * <pre>{@code
 * ExportedBuffer frame = ExportedBuffer.of(machine, "frame", block.ranges());    // the exporter's driver
 * ImportedBuffer imported = frame.attach(mapper, this::stopAndUnmap);              // another device's
 * start(imported.mapLinear(FROM_DEVICE, NONE, LinearPolicy.IN_PLACE), imported.length());
 * ...
 * frame.revoke().thenRun(() -> moveElsewhere());                                 // importers lose it
 * frame.restore(elsewhere.ranges());                                             // and may map it again
 * }</pre>
 */
public final class ExportedBuffer implements AutoCloseable {
  private final Machine machine;
  private final String name;
  private final DmaDirection access;
  private final AtomicInteger attachments = new AtomicInteger();
  private volatile ExportLease lease;
  private @Nullable Revocation revocation;
  private @Nullable CompletionStage<Void> gone;

  /** Until it is made, too: a provider may take memory back that making it holds, and if it cannot be made there is nothing to take. */
  private boolean closed = true;

  private ExportedBuffer(Machine machine, String name, PhysRanges ranges, DmaDirection access) {
    this.machine = machine;
    this.name = name;
    this.access = access;
    HeldCompletions.hold();
    try {
      synchronized (this) {
        lease = new ExportLease(machine, name, ranges, this::takenBack);
        closed = false;
      }
    } finally {
      HeldCompletions.release();
    }
  }

  /**
   * Export memory; it is held, so that it cannot be closed or withdrawn, until {@link #close} or a completed {@link #revoke}.
   *
   * @param name for messages
   * @param ranges read once, here; all of them memory of the machine, or all of them published by one device
   * @throws IllegalArgumentException for no range, one of length 0 or that wraps, or ranges of several owners
   * @throws DmaMappingException NOT_BACKED for what is neither open memory nor published; REVOKED for peer memory that was taken back
   */
  public static ExportedBuffer of(Machine machine, String name, PhysRanges ranges) {
    return new ExportedBuffer(machine, name, ranges, DmaDirection.BIDIRECTIONAL);
  }

  /**
   * Export memory for one use only; as {@link #of(Machine, String, PhysRanges)}.
   *
   * @param access the widest that importers may map: {@link DmaDirection#TO_DEVICE} for memory that devices may only read. Where nothing translates, no hardware holds a device to what was mapped
   */
  public static ExportedBuffer of(Machine machine, String name, PhysRanges ranges, DmaDirection access) {
    return new ExportedBuffer(machine, name, ranges, Objects.requireNonNull(access, "access"));
  }

  /** Return the name. */
  public String name() {
    return name;
  }

  /** Return the bytes of all ranges. */
  public long length() {
    return lease.bytes();
  }

  /** Return the device whose memory it is; null for memory of the machine. */
  public @Nullable DeviceSlot provider() {
    return lease.provider();
  }

  /** Return the widest access that importers may map. */
  public DmaDirection access() {
    return access;
  }

  /** Return how many importers are attached. */
  public int attachments() {
    return attachments.get();
  }

  /** Return how many mappings of importers, and linked units of their windows, hold the buffer. */
  public long mappings() {
    return lease.region().pins();
  }

  /**
   * Let the driver of another device use the buffer.
   *
   * @param mapper the importing device's
   * @param onRevoke told when the buffer is taken back, as {@link ImportedBuffer#onRevoke}: it must see to it that the device lets go and the import is unmapped
   * @return an idle handle, the importer's to close
   * @throws IllegalArgumentException if the mapper is another machine's
   * @throws DmaMappingException REVOKED while the buffer is taken back, PEER_UNREACHABLE if the device has no way to it, DETACHED
   */
  public ImportedBuffer attach(DmaMapper mapper, Runnable onRevoke) {
    if (mapper.machine() != machine) {
      throw new IllegalArgumentException(this + ": " + mapper.slot().address() + " is a device of another machine, " + mapper.machine().name());
    }
    ExportLease now = lease;
    if (now.account().isRevoked() || isClosed()) {
      throw revoked(mapper.slot().address() + ": attach()");
    }
    ImportedBuffer imported = new ImportedBuffer(mapper, this);
    try {
      imported.requireReachable(now);
    } catch (RuntimeException e) {
      imported.close();
      throw e;
    }
    imported.onRevoke(onRevoke);
    return imported;
  }

  void attached() {
    attachments.incrementAndGet();
  }

  void detached() {
    attachments.decrementAndGet();
  }

  ExportLease lease() {
    return lease;
  }

  DmaMappingException revoked(String what) {
    return new DmaMappingException(Reason.REVOKED, what + ": " + this + (isClosed() ? " was closed by its owner" : " was taken back by its owner"));
  }

  /** Take the buffer back, giving importers {@link PeerMemory#DEFAULT_DEADLINE_NANOS}; as {@link #revoke(long)}. */
  public CompletionStage<Void> revoke() {
    return revoke(PeerMemory.DEFAULT_DEADLINE_NANOS);
  }

  /**
   * Take the buffer back: from now on nobody can map it (REVOKED), and those who did lose it.
   *
   * <p>Mappings behind an IOMMU lose their entries at once, or when the call that is under way on the handle returns; their I/O addresses are given to nobody before they are unmapped. The others are told and must unmap. Whose mappings still hold it at
   * the deadline has its device stopped: bus mastering off and its mapper detached, or else a reset; what it wrote into bounce slots is lost then, since the memory may be the owner's again when they are given back. Where a provider took its peer memory back before, the provider's deadline counts.
   *
   * @param deadlineNanos nanoseconds from now
   * @return completes, on the thread that lets go last or that runs timers and without a lock of the mapping layer, when no device can reach the memory through this buffer any more, and the buffer has let go of it: it may be closed, or change
   *     its contents; exceptionally with {@link DmaMappingException} QUARANTINED if that cannot be confirmed: the memory must then stay as it is. The same for every call until {@link #restore}
   */
  public CompletionStage<Void> revoke(long deadlineNanos) {
    return takeBack(deadlineNanos);
  }

  /** The provider took back what the buffer is made of: its own deadline stops who does not listen. */
  private void takenBack() {
    takeBack(Revocation.NO_DEADLINE);
  }

  private CompletionStage<Void> takeBack(long deadlineNanos) {
    Revocation mine;
    CompletionStage<Void> stage;
    synchronized (this) {
      if (closed) {
        return CompletableFuture.completedStage(null);
      }
      CompletionStage<Void> earlier = gone;
      if (earlier != null) {
        return earlier;
      }
      mine = new Revocation(machine.timers(), lease.region(), lease.account());
      stage = mine.stage().thenRun(lease::release);
      revocation = mine;
      gone = stage;
    }
    mine.start(deadlineNanos);
    return stage;
  }

  /** Tell whether the buffer is taken back. */
  public boolean isRevoked() {
    return lease.account().isRevoked();
  }

  /** Let importers map the same memory again; as {@link #restore(PhysRanges)}. */
  public void restore() {
    restore(lease.ranges().another());
  }

  /**
   * Let importers map the buffer again, after {@link #revoke} has completed: where it was, or where it was moved. They find out when they map.
   *
   * @param ranges as for {@link #of}, with as many bytes as before
   * @throws IllegalStateException unless the buffer is taken back, and for good: nobody holds it
   * @throws IllegalArgumentException for another length, or as {@link #of} does; the buffer stays taken back
   * @throws DmaMappingException as {@link #of} does; the buffer stays taken back
   */
  public void restore(PhysRanges ranges) {
    // What cannot take the place is let go of under the monitor, and a provider may wait for it.
    HeldCompletions.hold();
    try {
      renew(ranges).release();
    } finally {
      HeldCompletions.release();
    }
  }

  /** Put the ranges in the place of what was taken back, and return that. */
  private synchronized ExportLease renew(PhysRanges ranges) {
    Revocation over = revocation;
    if (closed || over == null) {
      throw new IllegalStateException(this + ": restore() of a buffer that is " + (closed ? "closed" : "not taken back"));
    }
    ExportLease before = lease;
    if (!over.isComplete() && before.region().pins() != 0) {
      throw new IllegalStateException(
          this + ": restore() while " + before.region().pins() + " mappings hold it; wait for revoke() to complete, or reset their devices");
    }
    ExportLease next = new ExportLease(machine, name, ranges, this::takenBack);
    if (next.bytes() != before.bytes()) {
      next.release();
      throw new IllegalArgumentException(
          this + ": restore() with " + Hex.of(next.bytes()) + " bytes; importers know it with " + Hex.of(before.bytes()));
    }
    lease = next;
    revocation = null;
    gone = null;
    return before;
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  /**
   * End the export and let go of the memory; attached importers that map nothing need not detach first: mapping is REVOKED then. May be repeated.
   *
   * @throws IllegalStateException while an importer's mapping holds it: unmap, or {@link #revoke} and wait
   */
  @Override
  public void close() {
    synchronized (this) {
      if (!closed && !lease.region().tryRetire()) {
        throw new IllegalStateException(this + ": " + mappings() + " mappings of importers still hold it; unmap them, or revoke it first");
      }
      closed = true;
    }
    lease.release();
  }

  @Override
  public String toString() {
    return "exported buffer " + name;
  }
}
