package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerRange;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A part of one device's BAR that other devices may use as memory: published by the device's driver, mapped by anybody's, taken back by the driver.
 *
 * <p>Once published, its physical addresses are mapped like any memory, alone or mixed with host memory in one {@link DmaTransfer}; how a device reaches
 * them is found out for each device by the p2p layer, and a device that cannot is refused with PEER_UNREACHABLE. Thread-safe.
 *
 * <pre>{@code
 * PeerMemory memory = PeerMemory.publish(machine, nvme, 2, 0, 64 << 20);     // the provider's driver
 * PeerBlock block = memory.allocate(65536);
 * transfer.map(PhysRanges.of(block.phys(), block.length()), FROM_DEVICE, NONE, sink);   // another device's driver
 * ...
 * memory.revoke().toCompletableFuture().join();                              // before the provider goes
 * memory.close();
 * }</pre>
 */
public final class PeerMemory implements AutoCloseable {
  /** How long importers have to let go unless the caller says otherwise, nanoseconds. */
  public static final long DEFAULT_DEADLINE_NANOS = 1_000_000_000L;

  private final Machine machine;
  private final MemoryRegion region;
  private final PeerRange range;
  private @Nullable Revocation revocation;
  private boolean closed;

  private PeerMemory(Machine machine, MemoryRegion region, PeerRange range) {
    this.machine = machine;
    this.region = region;
    this.range = range;
  }

  /**
   * Publish a part of a BAR; the caller drives the device and closes what this returns before the device goes.
   *
   * @param provider the device
   * @param bar index of a BAR that is memory or may be written like memory
   * @param offset first byte within the BAR, on a frame
   * @param length bytes, positive, whole frames
   * @throws IllegalArgumentException for a range that leaves the BAR, is not on frames, or is published already
   * @throws DmaMappingException UNSUPPORTED if the machine has no peer memory; DETACHED if the device is gone
   */
  public static PeerMemory publish(Machine machine, DeviceSlot provider, int bar, long offset, long length) {
    Bar whole = provider.bar(bar);
    if (whole.kind() == Bar.Kind.NONE) {
      throw new IllegalArgumentException(provider.address() + ": there is no BAR " + bar + " to publish");
    }
    long frameMask = machine.memory().frameSize() - 1;
    if (offset < 0 || length <= 0 || length > whole.length() - offset || ((offset | length | whole.phys()) & frameMask) != 0) {
      throw new IllegalArgumentException(
          provider.address()
              + ": cannot publish "
              + Hex.range(offset, length)
              + " of BAR "
              + bar
              + ", which has "
              + Hex.of(whole.length())
              + " bytes: publish whole frames of "
              + Hex.of(frameMask + 1)
              + " inside it");
    }
    MemoryRegion region = provider.publish(bar, offset, length);
    PeerRange range = region.peer();
    if (range == null) {
      throw new IllegalStateException(machine.name() + ": published " + region + " without saying whose it is");
    }
    return new PeerMemory(machine, region, range);
  }

  /** Return the device whose memory it is. */
  public DeviceSlot provider() {
    return range.provider();
  }

  /** Return where the range lies and who imports it. */
  public PeerRange range() {
    return range;
  }

  /** Return the physical address of the first byte. */
  public long phys() {
    return range.phys();
  }

  /** Return the bytes published. */
  public long length() {
    return range.length();
  }

  /**
   * Return the CPU's view of a part; uncached device memory, slow to read.
   *
   * @throws IllegalArgumentException if the CPU cannot reach it, such as registers
   */
  public MemorySegment segment(long offset, long length) {
    if (offset < 0 || length < 0 || length > length() - offset) {
      throw new IllegalArgumentException(this + ": " + Hex.range(offset, length) + " is outside");
    }
    return machine.memory().segment(phys() + offset, length);
  }

  /** Allocate a piece on a frame; as {@link #allocate(long, long)}. */
  public PeerBlock allocate(long length) {
    return allocate(length, machine.memory().frameSize());
  }

  /**
   * Allocate a piece: the smallest free one that fits. Bytes that are mapped without having been allocated are not given out before they are unmapped; what lies beside them is.
   *
   * @param length bytes, positive
   * @param alignment of its physical address, a power of two; below a frame, devices behind an IOMMU may see what shares a granule with it
   * @throws DmaMappingException NOT_BACKED if no free piece fits, naming what is free; REVOKED once the memory is taken back
   */
  public synchronized PeerBlock allocate(long length, long alignment) {
    if (length <= 0 || Long.bitCount(alignment) != 1) {
      throw new IllegalArgumentException(
          this + ": cannot allocate " + length + " bytes on " + alignment + ": the length is positive and the alignment a power of two");
    }
    if (closed || isRevoked()) {
      throw revokedException();
    }
    PeerPieces pieces = range.pieces();
    long offset = pieces.allocate(length, alignment);
    if (offset == PeerPieces.NONE) {
      throw new DmaMappingException(
          Reason.NOT_BACKED,
          "%s: no 0x%x bytes on 0x%x are free, the largest free piece has 0x%x of 0x%x, without what mappings hold; unmap, release pieces or publish more"
              .formatted(this, length, alignment, pieces.largestFree(), pieces.freeBytes()));
    }
    return new PeerBlock(this, offset, length);
  }

  void release(PeerBlock block) {
    range.pieces().release(block.offset());
  }

  /** Return the bytes not allocated. */
  public long freeBytes() {
    return range.pieces().freeBytes();
  }

  /** Return the bytes of the largest piece that is neither allocated nor mapped. */
  public long largestFree() {
    return range.pieces().largestFree();
  }

  /** Return how many pieces are allocated. */
  public int allocations() {
    return range.pieces().allocated();
  }

  /** Return how many mappings hold a part of it. */
  public long pins() {
    return region.pins();
  }

  /** Take the memory back, giving importers {@link #DEFAULT_DEADLINE_NANOS}; as {@link #revoke(long)}. */
  public CompletionStage<Void> revoke() {
    return revoke(DEFAULT_DEADLINE_NANOS);
  }

  /**
   * Take the memory back: from now on nobody can map it (REVOKED), and those who did lose it.
   *
   * <p>Mappings behind an IOMMU lose their entries at once, whole requests included, or when the call that is under way on the handle returns; their device faults,
   * and nobody is given their I/O addresses before they are unmapped.
   * Who was given bus addresses, or maps without translation, or holds it in a {@link SparseWindow}, is told by its handle's {@code onRevoke} and must unmap. Whose
   * handles still hold it at the deadline has its device stopped: bus mastering off and its mapper detached, or else a reset.
   *
   * @param deadlineNanos nanoseconds from now
   * @return completes, on the thread that lets go last or that runs timers and without a lock of the mapping layer, when no device can reach the memory any more; exceptionally with {@link
   *     DmaMappingException} QUARANTINED if that cannot be confirmed: the memory must then stay as it is. The same for every call
   */
  public CompletionStage<Void> revoke(long deadlineNanos) {
    Revocation mine;
    synchronized (this) {
      if (closed) {
        return CompletableFuture.completedStage(null);
      }
      Revocation earlier = revocation;
      if (earlier != null) {
        return earlier.stage();
      }
      mine = new Revocation(machine.timers(), region, range);
      revocation = mine;
    }
    mine.start(deadlineNanos);
    return mine.stage();
  }

  /** Tell whether the memory was taken back, or its device pulled out. */
  public boolean isRevoked() {
    return range.isRevoked();
  }

  private DmaMappingException revokedException() {
    return new DmaMappingException(Reason.REVOKED, this + " was taken back by its owner");
  }

  /**
   * Withdraw the memory, so that its addresses are a BAR again; pieces need not be released first. May be repeated.
   *
   * @throws IllegalStateException while a mapping holds it: unmap, or {@link #revoke} and wait
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    if (!region.tryRetire()) {
      throw new IllegalStateException(this + ": " + region.pins() + " mappings still hold it; unmap them, or revoke it first");
    }
    closed = true;
    range.provider().withdraw(region);
  }

  @Override
  public String toString() {
    return "peer memory " + range;
  }
}
