package io.twostep.dma;

import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * Maps a whole request, in whatever structure the caller keeps it, on every backend: summarise, reserve once, link in runs, sync once.
 *
 * <p>Behind an IOMMU all host ranges share one window; without one each range is mapped as it is. Peer memory mixes freely. Used by one
 * thread at a time; reusable after unmap; a warm handle allocates nothing.
 *
 * <pre>{@code
 * DmaTransfer transfer = mapper.newTransfer();               // once
 * long entries = transfer.map(request.ranges(), TO_DEVICE, NONE, (dmaAddress, length, kind) -> list.append(dmaAddress, length));
 * ...                                                        // the device is done
 * transfer.unmap();
 * }</pre>
 */
public final class DmaTransfer extends RequestHandle {
  private final CollectedRanges collected = new CollectedRanges();
  private long entries;

  DmaTransfer(DmaMapper mapper) {
    super(mapper);
  }

  /**
   * Summarise a source without mapping it; for choosing a descriptor format beforehand.
   *
   * @return a view that is overwritten by the next plan or map of this transfer
   * @throws DmaMappingException NOT_BACKED or PEER_UNREACHABLE as mapping would
   * @throws IllegalStateException unless idle
   */
  public TransferPlan plan(PhysRanges source) {
    claim("plan");
    try {
      return request.plan(source);
    } finally {
      unclaim();
    }
  }

  /**
   * Map a request and hand its entries to the sink, in order.
   *
   * <p>The sink hears of entries before they are usable: give them to the device when this has returned. Peer memory that lies in the request's window
   * is part of its local entries.
   *
   * @param source the ranges; unchanged until unmap
   * @param attributes {@link DmaAttributes}
   * @return how many entries the sink took; 0 for an empty source, which is mapped all the same; -1 if the sink refused one and everything is
   *     undone
   * @throws DmaMappingException if any range cannot be mapped, or OUT_OF_BOUNDS if there are more entries than the device takes; nothing is mapped then. QUARANTINED if the
   *     sink refused and that could not be undone
   * @throws IllegalArgumentException for a range of length 0 or that wraps, or a source that is seen to differ when it is read again
   * @throws IllegalStateException unless idle
   */
  public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
    int flags = requestFlags(direction, attributes);
    claim("map");
    try {
      entries = request.map(source, flags, sink);
    } catch (RuntimeException e) {
      join(e, request.takeDown(own()));
      abandon(e);
      return failedRequest(e);
    }
    activate();
    return entries;
  }

  /** Return the bytes of the mapped request. */
  public long length() {
    requireActive("length");
    return request.bytes();
  }

  /** Return how many entries the sink took. */
  public long entries() {
    requireActive("entries");
    return entries;
  }

  /**
   * Return the address the device uses for the first byte of a request that became one entry.
   *
   * @throws IllegalStateException unless mapped as exactly one entry; what became several has an address each, which only the sink heard
   */
  public long dmaAddress() {
    requireActive("dmaAddress");
    if (entries != 1) {
      throw new IllegalStateException(
          stack().device + ": dmaAddress(): the request became " + entries + " entries, and only one has an address; take them from the sink");
    }
    return request.firstAddress();
  }

  /**
   * Unmap and go idle; the memory is the caller's again once {@code batch} completes. What may be taken back by its owner is unmapped at once, as without a batch.
   *
   * @throws IllegalStateException unless mapped, or if the batch holds work of another address space; the mapping stays as it is then
   */
  public void unmap(InvalidationBatch batch) {
    tearDownWith("unmap", batch);
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    collected.clear();
    return super.takeDown(retirement);
  }

  /**
   * Start collecting a request range by range, for callers without a structure of their own; forgets what was collected before.
   *
   * @param maxBytes the most bytes the request may have, positive
   * @throws IllegalStateException unless idle
   */
  public void begin(long maxBytes, DmaDirection direction, int attributes) {
    requestFlags(direction, attributes);
    if (maxBytes <= 0) {
      throw new IllegalArgumentException(stack().device + ": maxBytes " + maxBytes + " must be positive");
    }
    requireIdle("begin");
    collected.begin(maxBytes, direction, attributes);
  }

  /**
   * Add a range to the request being collected.
   *
   * @return false, and nothing is added, if the request would exceed its bytes or the entries the device takes
   * @throws IllegalStateException unless idle and begun
   */
  public boolean add(long phys, long length) {
    requireIdle("add");
    collected.direction(stack().device);
    requirePhysRange(phys, length);
    return collected.add(phys, length, mapper().deviceLimits().maxSegments());
  }

  /** Map what was collected; as {@link #map}. After a failure the transfer is idle and nothing is collected. */
  public long finish(DmaSink sink) {
    requireIdle("finish");
    DmaDirection direction = collected.direction(stack().device);
    boolean mapped = false;
    try {
      long entries = map(collected, direction, collected.attributes(), sink);
      mapped = entries >= 0;
      return entries;
    } finally {
      if (!mapped) {
        collected.clear();
      }
    }
  }
}
