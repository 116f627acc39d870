package io.twostep.backend.iommu;

/** When translations that were cleared are invalidated. */
public enum FlushPolicy {
  /** Before teardown returns: no device reaches memory that was given back. */
  STRICT,
  /**
   * Together with others, at most 10 ms later: I/O addresses and tables are reused only then, but until then a device may still reach memory that its
   * owner already has back. Never used for untrusted devices.
   */
  LAZY
}
