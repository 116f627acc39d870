package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** A teardown waited for its invalidation. */
@Name("io.twostep.Invalidation")
@Label("DMA Invalidation")
final class InvalidationEvent extends DmaEvent {
  static final InvalidationEvent PROBE = new InvalidationEvent();
}
