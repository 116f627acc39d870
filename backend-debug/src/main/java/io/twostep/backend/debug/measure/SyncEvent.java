package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** Ownership moved. */
@Name("io.twostep.Sync")
@Label("DMA Sync")
final class SyncEvent extends DmaEvent {
  static final SyncEvent PROBE = new SyncEvent();
}
