package io.twostep.backend.debug.measure;

import jdk.jfr.Label;
import jdk.jfr.Name;

/** Ranges were linked. */
@Name("io.twostep.Link")
@Label("DMA Link")
final class LinkEvent extends DmaEvent {
  static final LinkEvent PROBE = new LinkEvent();
}
