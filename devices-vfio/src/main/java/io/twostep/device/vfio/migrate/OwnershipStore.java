package io.twostep.device.vfio.migrate;

import java.io.IOException;

/**
 * Keeps the {@link Ownership} of one guest where both sides reach it and where it outlives them: the one thing that both trust.
 *
 * <p>A change is durable when {@link #compareAndSet} returns. If it throws, the change may or may not have happened: read again. Thread-safe, also between processes and machines that share it.
 */
public interface OwnershipStore {
  /** Return what holds now. */
  Ownership read() throws IOException;

  /**
   * Replace {@code expected} by {@code next} if it is what holds.
   *
   * @return false, with nothing changed, if it is not
   */
  boolean compareAndSet(Ownership expected, Ownership next) throws IOException;
}
