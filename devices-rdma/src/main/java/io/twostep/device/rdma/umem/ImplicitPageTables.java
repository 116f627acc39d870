package io.twostep.device.rdma.umem;

import org.jspecify.annotations.Nullable;

/**
 * The device's side of a whole address space: a root whose slots name the tables of pieces. What an adapter implements with an indirect key.
 *
 * <p>Thread-safe for {@link #open} and {@link #close}; the others are called by one thread at a time.
 */
public interface ImplicitPageTables {
  /** Make the table of one piece, all of it absent; {@code start} and {@code length} are what it covers of the process, bytes. */
  DevicePageTable open(long start, long length);

  /** Prepare the root's slot of the piece that starts at {@code start}: its table, or null for faults. */
  void connect(long start, @Nullable DevicePageTable piece);

  /** Return once the device uses the slots prepared since the last commit, and no older ones. */
  void commit();

  /** Give back the table of a piece, which no slot names and whose entries are absent. */
  void close(DevicePageTable piece);
}
