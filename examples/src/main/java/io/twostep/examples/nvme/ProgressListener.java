package io.twostep.examples.nvme;

/** Hears how far work has come. */
@FunctionalInterface
public interface ProgressListener {
  /** Take a step: {@code done} of {@code total} bytes of {@code what}. */
  void progress(String what, long done, long total);
}
