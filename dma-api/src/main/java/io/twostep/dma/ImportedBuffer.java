package io.twostep.dma;

import io.twostep.dma.spi.Misuse;
import org.jspecify.annotations.Nullable;

/**
 * One device's use of an {@link ExportedBuffer}: maps the buffer or a part of it, as one range or as entries, until it is unmapped or taken back; a {@link SparseWindow} links parts of it at its units.
 *
 * <p>When the exporter takes the buffer back, translations of this mapping are gone at once, and the task given at attach runs; every call but teardown throws REVOKED until {@link #unmap}. Then it may be mapped again,
 * as soon as the exporter restores it. What a device reaches without translation only the driver can take away: it must stop the device's requests and unmap, or the device is stopped for it. Teardown is
 * never deferred. Used by one thread at a time; {@link #close} detaches.
 */
public final class ImportedBuffer extends RequestHandle {
  private final ExportedBuffer exported;
  private final LinearRequest linear = new LinearRequest(this, request);
  private @Nullable ExportLease source;
  private RangeList ranges = RangeList.of(new long[0]);
  private long rangesOffset;
  private long rangesLength;
  private long dmaAddress;
  private long entries;

  ImportedBuffer(DmaMapper mapper, ExportedBuffer exported) {
    super(mapper);
    this.exported = exported;
    exported.attached();
  }

  /** Refuse a device that has no way to the memory. */
  void requireReachable(ExportLease lease) {
    AttachedStack stack = stack();
    if (lease.provider() == null) {
      return;
    }
    for (int i = 0; i < lease.ranges().count(); i++) {
      long phys = lease.ranges().phys(i);
      long length = lease.ranges().length(i);
      if (stack.ops.classify(phys, length) == RangeKind.UNREACHABLE) {
        throw LinkableMemory.unreachable(stack, phys, length);
      }
    }
  }

  /** Return the buffer. */
  public ExportedBuffer exported() {
    return exported;
  }

  /** Return the bytes of the buffer, mapped or not. */
  public long length() {
    return exported.length();
  }

  /**
   * Map the buffer as one range for the device; as {@link LinearMapping#map}.
   *
   * @return the address the device uses for the first byte
   * @throws DmaMappingException REVOKED while the buffer is taken back; NOT_LINEAR, or any reason for which a range cannot be mapped. Nothing is mapped then
   * @throws IllegalStateException unless idle
   */
  public long mapLinear(DmaDirection direction, int attributes, LinearPolicy policy) {
    return mapLinear(0, length(), direction, attributes, policy);
  }

  /**
   * Map a part of the buffer as one range for the device; as {@link #mapLinear(DmaDirection, int, LinearPolicy)}. Syncs count from the part's first byte.
   *
   * @param offset first byte within the buffer
   * @param length bytes, positive
   * @throws IllegalArgumentException for a part that is not within the buffer, or a direction that the export does not allow
   */
  public long mapLinear(long offset, long length, DmaDirection direction, int attributes, LinearPolicy policy) {
    int flags = partFlags(offset, length, direction, attributes);
    claim("mapLinear");
    try {
      dmaAddress = linear.map(hold("mapLinear", offset, length), flags, policy);
      entries = 1;
    } catch (RuntimeException e) {
      join(e, request.takeDown(own()));
      abandon(e);
      throw e;
    }
    activate();
    return dmaAddress;
  }

  /**
   * Map the buffer and hand its entries to the sink, in order; as {@link DmaTransfer#map}.
   *
   * @return how many entries the sink took; -1 if it refused one and everything is undone
   * @throws DmaMappingException REVOKED while the buffer is taken back, or any reason for which a range cannot be mapped. Nothing is mapped then. QUARANTINED if the sink refused and that could not be undone
   * @throws IllegalStateException unless idle
   */
  public long map(DmaDirection direction, int attributes, DmaSink sink) {
    return map(0, length(), direction, attributes, sink);
  }

  /**
   * Map a part of the buffer and hand its entries to the sink, in order; as {@link #map(DmaDirection, int, DmaSink)}. Syncs count from the part's first byte.
   *
   * @param offset first byte within the buffer
   * @param length bytes, positive
   * @throws IllegalArgumentException for a part that is not within the buffer, or a direction that the export does not allow
   */
  public long map(long offset, long length, DmaDirection direction, int attributes, DmaSink sink) {
    int flags = partFlags(offset, length, direction, attributes);
    claim("map");
    try {
      entries = request.map(hold("map", offset, length), flags, sink);
      dmaAddress = request.firstAddress();
    } catch (RuntimeException e) {
      join(e, request.takeDown(own()));
      abandon(e);
      return failedRequest(e);
    }
    activate();
    return entries;
  }

  private int partFlags(long offset, long length, DmaDirection direction, int attributes) {
    int flags = requestFlags(direction, attributes);
    requirePart("map", offset, length, direction);
    return flags;
  }

  private void requirePart(String call, long offset, long length, DmaDirection direction) {
    requireWithin(offset, length, length());
    requireAccess(call, offset, length, direction);
  }

  /** Refuse access that the export does not allow. */
  void requireAccess(String call, long offset, long length, DmaDirection direction) {
    if ((direction.access() & ~exported.access().access()) != 0) {
      refused(Misuse.WIDER_ACCESS, call, offset, length);
      throw new IllegalArgumentException(
          "%s: %s of 0x%x+0x%x of %s, which is exported for %s only; %s it so, or have its owner export it for more"
              .formatted(stack().device, direction, offset, length, exported, exported.access(), call));
    }
  }

  /** Refuse a part that must not be linked into a window, whatever state the memory is in. */
  void requireLinkable(SparseWindow window, long offset, long length, DmaDirection direction) {
    requireOpen("link");
    if (window.mapper() != mapper()) {
      throw new IllegalArgumentException(
          "%s: link(): this import of %s was attached for %s through another mapper; attach it with the window's"
              .formatted(window.stack().device, exported, stack().device));
    }
    requirePart("link", offset, length, direction);
  }

  /** Hold the buffer as it is now, before any of its memory is looked at, and return the ranges of a part. */
  private PhysRanges hold(String call, long offset, long length) {
    ExportLease now = exported.lease();
    if (!pins().hold(now.region())) {
      throw exported.revoked(stack().device + ": " + call + "()");
    }
    if (!stack().translates) {
      revocables().reachedPastTranslation();
    }
    if (now != source || offset != rangesOffset || length != rangesLength) {
      source = now;
      ranges = now.ranges().part(offset, length);
      rangesOffset = offset;
      rangesLength = length;
    }
    return ranges;
  }

  /**
   * Return the address the device uses for the first byte of a buffer that became one range.
   *
   * @throws IllegalStateException unless mapped as exactly one
   */
  public long dmaAddress() {
    requireActive("dmaAddress");
    if (entries != 1) {
      throw new IllegalStateException(stack().device + ": dmaAddress(): the buffer became " + entries + " entries; take their addresses from the sink");
    }
    return dmaAddress;
  }

  @Override
  String howToMap() {
    return "is not mapped; call map() or mapLinear() first";
  }

  @Override
  void ended() {
    exported.detached();
  }
}
