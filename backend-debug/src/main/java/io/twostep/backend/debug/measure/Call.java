package io.twostep.backend.debug.measure;

/** The calls that are timed. */
public enum Call {
  /** A range mapped by itself. */
  MAP,
  /** A window reserved. */
  RESERVE,
  /** Ranges linked, however many in one call. */
  LINK,
  /** What was linked made visible to the device: the API's {@code sync}. */
  PUBLISH,
  /** Ownership moved, with copies and cache work. */
  SYNC,
  /** Ranges unlinked, or a mapping or window torn down, until it is left to its batch. */
  TEARDOWN,
  /** From the end of the teardown call until nothing can reach the memory: the invalidation, and the wait for the batch. */
  INVALIDATION
}
