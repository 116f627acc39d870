package io.twostep.device.nvme.host;

import org.jspecify.annotations.Nullable;

/**
 * Closes one resource after the other, whatever those before threw, so that one that cannot be proved unreachable does not keep the rest.
 *
 * <p>One thread; for one use.
 */
public final class Teardown {
  private @Nullable RuntimeException failure;

  /** Run one step, and remember what it throws. */
  public Teardown then(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException e) {
      if (failure == null) {
        failure = e;
      } else {
        failure.addSuppressed(e);
      }
    }
    return this;
  }

  /** Throw what the first step that failed threw, with the later failures suppressed in it. */
  public void finish() {
    if (failure != null) {
      throw failure;
    }
  }
}
