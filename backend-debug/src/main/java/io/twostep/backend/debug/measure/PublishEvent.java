package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** What was linked became visible to the device. */
@Name("io.twostep.Publish")
@Label("DMA Publish")
final class PublishEvent extends DmaEvent {
  static final PublishEvent PROBE = new PublishEvent();
}
