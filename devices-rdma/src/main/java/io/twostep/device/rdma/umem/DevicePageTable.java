package io.twostep.device.rdma.umem;

import io.twostep.dma.DmaDirection;

/**
 * The device's own translation of one on-demand region, from offsets to DMA addresses: what an adapter implements with its translation entries.
 *
 * <p>Offsets and lengths are bytes from the region's first page and whole pages of the region. All entries are absent at first. The region calls from any thread,
 * one at a time, and holds its lock while it does: an implementation may wait for its device, but must neither take a page fault of the same region on
 * the calling thread nor wait for another thread that does.
 */
public interface DevicePageTable {
  /**
   * Prepare entries: pages from {@code offset} on translate to {@code dmaAddress} and what follows it, replacing what they were. The device may use them at
   * once, and can rely on them after {@link #commit}.
   *
   * @param access the device's permission; always allows reads
   */
  void set(long offset, long length, long dmaAddress, DmaDirection access);

  /** Prepare entries to be absent: the device shall fault there. */
  void zap(long offset, long length);

  /**
   * Return once the device uses what was set and zapped since the last commit, and nothing older: no access through an entry that was replaced or zapped is under way or
   * will be made.
   *
   * @throws RuntimeException if the device could not be brought there; its entries count as unknown, and the region keeps memory from it by other means
   */
  void commit();
}
