package io.twostep.examples.rdma;

import java.util.Arrays;
import java.util.List;

/** How the memory that a file moves through is made known to the adapters. */
public enum RdmaMode {
  /** Pinned and mapped, piece by piece: nothing can move it. */
  PINNED("pinned"),
  /** One range, whose pages are linked when an adapter asks for them. */
  ON_DEMAND("odp"),
  /** The whole address space, in pieces that come and go. */
  IMPLICIT("implicit");

  private final String text;

  RdmaMode(String text) {
    this.text = text;
  }

  /** Return its name on the command line. */
  public String text() {
    return text;
  }

  /** Return all names. */
  public static List<String> texts() {
    return Arrays.stream(values()).map(RdmaMode::text).toList();
  }
}
