package io.twostep.examples.compare;

/** Hears how far a comparison has come. */
public interface Progress {
  /** Hear that a step of {@code total} begins. */
  void step(String what, int step, int total);
}
