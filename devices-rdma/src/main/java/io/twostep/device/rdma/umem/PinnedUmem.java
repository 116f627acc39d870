package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.PinnedPages;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.PhysRanges;
import org.jspecify.annotations.Nullable;

/**
 * Memory that a device may use for as long as this is open: pinned, mapped as a whole, and known by its extents, not by its pages.
 *
 * <p>Device and CPU share it without syncs, so that it is never bounced: where that cannot be it is refused. Read by any thread; closed by one.
 *
 * <p>Peers' memory can be taken back by its owner: see {@link #onLetGo}.
 */
public final class PinnedUmem implements AutoCloseable {
  private final DmaTransfer transfer;
  private final @Nullable PinnedPages pinned;
  private final DmaExtents extents = new DmaExtents();
  private @Nullable Runnable letGoTask;
  private boolean revoked;
  private boolean closed;

  private PinnedUmem(DmaTransfer transfer, @Nullable PinnedPages pinned) {
    this.transfer = transfer;
    this.pinned = pinned;
  }

  /**
   * Pin a range of a process and map it for a device; any address and length.
   *
   * @param access {@link AccessFlags}
   * @param budget pays for the pinned pages
   * @throws io.twostep.device.rdma.mirror.PageFaultException if a page cannot be had; nothing is held then
   * @throws DmaMappingException PIN_LIMIT, COHERENCE_REQUIRED, or why the range cannot be mapped; nothing is held then, unless the device could not be proved away,
   *     as a suppressed exception says: the pages stay pinned
   */
  public static PinnedUmem register(DmaMapper mapper, ProcessMemory process, long va, long length, int access, PinBudget budget) {
    int checked = AccessFlags.check(access);
    PinnedPages pinned = process.pin(va, length, AccessFlags.writes(checked), budget);
    try {
      return map(mapper, pinned.ranges(), checked, pinned);
    } catch (RuntimeException e) {
      if (isUndone(e)) {
        pinned.close();
      }
      throw e;
    }
  }

  /** Tell whether nothing of a failed map is left with the device: what could not be taken down is suppressed in the failure. */
  private static boolean isUndone(RuntimeException failure) {
    return failure.getSuppressed().length == 0;
  }

  /** Map memory of the machine, peers' included, that its owner keeps in place until this is closed; as {@link #register}. */
  public static PinnedUmem of(DmaMapper mapper, PhysRanges ranges, int access) {
    return map(mapper, ranges, AccessFlags.check(access), null);
  }

  private static PinnedUmem map(DmaMapper mapper, PhysRanges ranges, int access, @Nullable PinnedPages pinned) {
    int attributes = DmaAttributes.REQUIRE_COHERENT | ((access & AccessFlags.RELAXED_ORDERING) != 0 ? DmaAttributes.WEAK_ORDERING : 0);
    DmaTransfer transfer = mapper.newTransfer();
    PinnedUmem umem = new PinnedUmem(transfer, pinned);
    transfer.onRevoke(umem::revoked);
    try {
      transfer.map(ranges, AccessFlags.direction(access), attributes, umem.extents);
      return umem;
    } catch (RuntimeException e) {
      transfer.close();
      throw e;
    }
  }

  private void revoked() {
    Runnable task;
    synchronized (this) {
      revoked = true;
      task = letGoTask;
    }
    if (task != null) {
      task.run();
    }
  }

  /**
   * Run {@code task} when memory of it is taken back by its owner, as peers' may be, and before this is closed by anybody else: it must have the device let go, and close this. At once if the memory
   * was taken back already.
   *
   * @see io.twostep.dma.DmaHandle#onRevoke
   */
  public void onLetGo(Runnable task) {
    boolean late;
    synchronized (this) {
      letGoTask = task;
      late = revoked;
    }
    if (late) {
      task.run();
    }
  }

  /** Return what the device has to know. */
  public DmaExtents extents() {
    return extents;
  }

  /** Return the bytes of the registration. */
  public long length() {
    return extents.length();
  }

  /** Return the heap bytes kept for knowing what is pinned and where the device finds it. */
  public long metadataLength() {
    return extents.metadataLength() + (pinned == null ? 0 : pinned.metadataLength());
  }

  /**
   * Unmap, then let the pages go; whoever has the device use it lets go first. May be repeated.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away; the pages stay pinned then
   * @throws RuntimeException if whoever has the device use it cannot let go; everything stays as it is then
   */
  @Override
  public void close() {
    Runnable task;
    synchronized (this) {
      task = closed ? null : letGoTask;
    }
    if (task != null) {
      task.run();
    }
    if (closed) {
      return;
    }
    closed = true;
    transfer.close();
    if (pinned != null) {
      pinned.close();
    }
  }
}
