package io.twostep.device.rdma.mirror;

/** What a look at a range of pages does to those that are not as wanted. */
public enum FaultMode {
  /** Nothing: take what is there. */
  SNAPSHOT,
  /** Bring in what is absent. */
  READ,
  /** Bring in what is absent and make all of it writable, which marks it dirty. */
  WRITE
}
