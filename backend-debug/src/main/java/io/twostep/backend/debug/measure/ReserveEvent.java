package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** A window was reserved. */
@Name("io.twostep.Reserve")
@Label("DMA Reserve")
final class ReserveEvent extends DmaEvent {
  static final ReserveEvent PROBE = new ReserveEvent();
}
