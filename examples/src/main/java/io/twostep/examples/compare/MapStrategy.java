package io.twostep.examples.compare;

import java.util.Locale;

/** A way to make buffers reachable for a device. */
public enum MapStrategy {
  /** A mapping of its own, with an invalidation of its own, for every page, as a streaming interface without lists has it. */
  PER_PAGE,
  /** A list with an entry per range, mapped as a whole. */
  SCATTER_LIST,
  /** One reservation for a request, linked from the caller's own structure, synced once. */
  TWO_STEP,
  /** The same, and invalidation is put off. */
  LAZY,
  /** Every byte is copied to memory the device may use. */
  BOUNCE,
  /** All buffers are mapped once, before the first request and until after the last. */
  REGISTERED;

  /** Return the name users read. */
  public String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
