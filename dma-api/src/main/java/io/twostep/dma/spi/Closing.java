package io.twostep.dma.spi;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Gives several things back, each whatever became of those before it; what fails first is thrown at the end, the rest suppressed in it. Not thread-safe.
 *
 * <p>For teardowns of drivers and machines: a device that cannot be cut off must not leave everything else open. What may go back only once another step has succeeded has to ask for that itself.
 */
public final class Closing {
  private @Nullable RuntimeException failure;

  /** Begin; nothing has failed yet. */
  public Closing() {}

  /** Give back what a failure leaves behind, and return the failure, with what failed meanwhile suppressed in it. */
  public static RuntimeException after(RuntimeException failure, Runnable... steps) {
    Closing closing = new Closing();
    closing.failure = failure;
    for (Runnable step : steps) {
      closing.then(step);
    }
    return failure;
  }

  /** Give one thing back. */
  public Closing then(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException e) {
      RuntimeException first = failure;
      if (first == null) {
        failure = e;
      } else if (first != e) {
        first.addSuppressed(e);
      }
    }
    return this;
  }

  /** Give several things of a kind back. */
  public <T> Closing thenEach(Iterable<? extends T> things, Consumer<T> close) {
    things.forEach(thing -> then(() -> close.accept(thing)));
    return this;
  }

  /** Return what failed first, null for nothing. */
  public @Nullable RuntimeException failure() {
    return failure;
  }

  /** Throw what failed first, if anything did. */
  public void end() {
    RuntimeException first = failure;
    if (first != null) {
      throw first;
    }
  }
}
