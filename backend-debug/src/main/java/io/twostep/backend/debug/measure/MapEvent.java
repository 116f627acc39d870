package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** A range was mapped by itself. */
@Name("io.twostep.Map")
@Label("DMA Map")
final class MapEvent extends DmaEvent {
  static final MapEvent PROBE = new MapEvent();
}
