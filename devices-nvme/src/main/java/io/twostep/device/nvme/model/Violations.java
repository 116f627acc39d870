package io.twostep.device.nvme.model;

import java.util.ArrayList;
import java.util.List;

/** What the host did against the specification, in words; the first ones are kept, all are counted. Thread-safe. */
final class Violations {
  private static final int KEPT = 100;

  private final List<String> kept = new ArrayList<>();

  synchronized void add(String what) {
    if (kept.size() < KEPT) {
      kept.add(what);
    }
  }

  synchronized List<String> list() {
    return List.copyOf(kept);
  }
}
