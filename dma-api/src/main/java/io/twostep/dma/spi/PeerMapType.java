package io.twostep.dma.spi;

import io.twostep.dma.RangeKind;

/** How a device reaches memory: the four answers that a p2p layer can give. */
public enum PeerMapType {
  /** Ordinary memory; no peer is involved. */
  NONE(RangeKind.LOCAL),
  /** By the peer's bus address: the fabric carries it without host bridge and IOMMU. */
  BUS_ADDRESS(RangeKind.BUS_PEER),
  /** Through the host bridge: mapped like memory, never cached, never copied. */
  THROUGH_HOST_BRIDGE(RangeKind.BRIDGE_PEER),
  /** Not at all. */
  NOT_SUPPORTED(RangeKind.UNREACHABLE);

  private final int rangeKind;

  PeerMapType(int rangeKind) {
    this.rangeKind = rangeKind;
  }

  /** Return the {@link RangeKind} that ranges of this type have. */
  public int rangeKind() {
    return rangeKind;
  }
}
