package io.twostep.device.rdma.rw;

import io.twostep.dma.RangeKind;
import org.jspecify.annotations.Nullable;

/** Choose how a transfer is done; knows nothing but numbers. */
final class RwRules {
  private RwRules() {}

  /** Return why no choice is left, or null. */
  static @Nullable RwReason compulsory(RwLimits limits, RwOperation operation) {
    if (limits.forceKeys()) {
      return RwReason.FORCED;
    }
    return operation == RwOperation.READ && limits.readsNeedKeys() ? RwReason.READ_NEEDS_KEY : null;
  }

  /**
   * Choose for a scatter list once it is mapped.
   *
   * @param entries DMA ranges that became of it: these count, not what was given
   */
  static RwReason list(RwLimits limits, RwOperation operation, int entries) {
    RwReason compulsory = compulsory(limits, operation);
    if (compulsory != null) {
      return compulsory;
    }
    if (entries == 1) {
      return RwReason.ONE_RANGE;
    }
    boolean isLong = operation == RwOperation.READ && limits.longRead() != 0 && entries > limits.longRead();
    return isLong ? RwReason.LONG_READ : RwReason.SCATTERED;
  }

  /**
   * Choose for a vector before it is mapped.
   *
   * @param ranges ranges of the vector after adjacent ones were joined
   * @param oneWindow whether one window holds all of them, one behind the other
   * @param kinds which {@link RangeKind}s occur, one bit each
   * @param translates whether the stack translates
   */
  static RwReason vector(RwLimits limits, RwOperation operation, long ranges, boolean oneWindow, int kinds, boolean translates) {
    RwReason compulsory = compulsory(limits, operation);
    if (compulsory != null) {
      return compulsory;
    }
    if (ranges == 1) {
      return RwReason.ONE_RANGE;
    }
    if (oneWindow) {
      return RwReason.ONE_WINDOW;
    }
    if ((kinds & (1 << RangeKind.BUS_PEER)) != 0) {
      return RwReason.BUS_PEER;
    }
    return translates ? RwReason.GAP : RwReason.NOT_TRANSLATED;
  }
}
