package io.twostep.device.nvme.model;

import java.lang.foreign.MemorySegment;

/**
 * The medium of a namespace: bytes in a few segments of memory, so that data moves between the bus and the medium in one copy.
 *
 * <p>One thread at a time. Offsets are bytes from 0 to {@link #size} less one.
 */
interface BlockStore extends AutoCloseable {
  /** Return the bytes of the medium. */
  long size();

  /** Return the segment that holds {@code offset}, for reading only. */
  MemorySegment readable(long offset);

  /** Return the segment that holds {@code offset}, for writing. */
  MemorySegment writable(long offset);

  /** Return where {@code offset} is in its segment. */
  long offsetInSegment(long offset);

  /** Return how many bytes from {@code offset} on lie in the same segment. */
  long run(long offset);

  /** Put a range back into the state of a medium never written. */
  void clear(long offset, long length);

  /** Make what was written durable. */
  void flush();

  @Override
  void close();
}
