package io.twostep.device.rdma.transport;

/** How an access to memory behind a key went. */
public enum MemoryResult {
  /** All bytes moved. */
  DONE,
  /** A page is absent; it was asked for, or will be by {@link ResponderPort#faultReceive}, and none of the bytes counts as moved. */
  FAULT,
  /** The key does not permit it. */
  DENIED,
  /** The key permits it, but memory did not answer or a page could not be had. */
  FAILED
}
