package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** Something was unlinked, unmapped or given back. */
@Name("io.twostep.Teardown")
@Label("DMA Teardown")
final class TeardownEvent extends DmaEvent {
  static final TeardownEvent PROBE = new TeardownEvent();
}
