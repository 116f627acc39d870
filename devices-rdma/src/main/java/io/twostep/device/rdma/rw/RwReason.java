package io.twostep.device.rdma.rw;

/** Why a transfer is of its type. */
public enum RwReason {
  /** Nothing to choose. */
  ONE_RANGE(RwType.SINGLE_WR, "it is one range for the adapter"),
  /** A scatter list. */
  SCATTERED(RwType.MULTI_WR, "the scatter list is several ranges for the adapter, within what it takes without a key"),
  /** A vector that one window does not hold. */
  GAP(RwType.MULTI_WR, "an inner edge lies off the alignment that I/O addresses keep, so that no one window holds the vector"),
  /** A vector that has memory of a peer of the adapter's. */
  BUS_PEER(RwType.MULTI_WR, "a part is a device's memory, reached by its bus address, which no window holds"),
  /** A vector on a stack without two steps. */
  NOT_TRANSLATED(RwType.MULTI_WR, "nothing translates for the adapter, so that there is no range to reserve"),
  /** Keys would be better but are not needed. */
  KEYS_SPENT(RwType.MULTI_WR, "keys would be better for a READ into so many ranges, but not enough are free"),
  /** Keys would be better but are not needed. */
  KEY_GAP(RwType.MULTI_WR, "keys would be better for a READ into so many ranges, but inner edges off the page would take more of them than there are requests"),
  /** A READ scattered more than the adapter likes. */
  LONG_READ(RwType.MR, "a READ into more ranges than the adapter scatters well"),
  /** Reads on adapters that want keys. */
  READ_NEEDS_KEY(RwType.MR, "the adapter wants a key for every READ"),
  /** The debugging aid. */
  FORCED(RwType.MR, "keys are forced for every transfer"),
  /** What this kit is about. */
  ONE_WINDOW(RwType.IOVA, "all inner edges lie on the alignment that I/O addresses keep: one window holds the vector");

  private final RwType type;
  private final String text;

  RwReason(RwType type, String text) {
    this.type = type;
    this.text = text;
  }

  /** Return the type it is a reason for. */
  public RwType type() {
    return type;
  }

  /** Return it in words. */
  public String text() {
    return text;
  }

  /** Tell whether the transfer cannot do without keys. */
  boolean needsKeys() {
    return this == READ_NEEDS_KEY || this == FORCED;
  }
}
