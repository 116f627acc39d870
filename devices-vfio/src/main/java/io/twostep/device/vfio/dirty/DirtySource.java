package io.twostep.device.vfio.dirty;

import io.twostep.dma.DirtyBitmap;

/**
 * Tells which pages of the guest one device wrote. A write is never lost: one that happened before a {@link #collect} began is in it or in an earlier one, one during it in it or in the next. Pages
 * that nobody wrote may be told too. Used by one thread at a time.
 */
public interface DirtySource extends AutoCloseable {
  /**
   * Start with everything clean: every write after this has returned is told.
   *
   * @throws io.twostep.dma.DmaMappingException why it cannot; it is not tracking then
   * @throws IllegalStateException if it is tracking, or the address space is tracked already
   */
  void start();

  /**
   * Mark in {@code into}, a bitmap of guest addresses, what was written, and tell it never again unless it is written again. Copy data after this has returned.
   *
   * @throws IllegalStateException unless tracking
   */
  void collect(DirtyBitmap into);

  /** Stop, and forget what was not collected; does nothing unless tracking. */
  void stop();

  /** Return what tracks, for people: the IOMMU or the device. */
  String by();

  @Override
  default void close() {
    stop();
  }
}
