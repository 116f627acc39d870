package io.twostep.examples.rdma;

import io.twostep.device.rdma.MemoryKey;

/** A range of a process, made known to its adapter. Used by the thread that moves data. */
interface Registration extends AutoCloseable {
  /** Return the key that serves a slot now. The slot is the caller's, and mapped. */
  MemoryKey key(int slot);

  /** Take note that a slot may have been unmapped since it was last used. */
  void released(int slot);

  /** Return how many pages were made reachable so far. */
  long reachablePages();

  /** Return the time that took, nanoseconds, as far as it was not spent on faults. */
  long nanos();

  /** Return how often faults had to look at pages again because they had changed meanwhile. */
  long retries();

  /** Return the heap bytes kept now for what is registered. */
  long metadataLength();

  /** Return the pages registered now. */
  long registeredPages();

  @Override
  void close();
}
