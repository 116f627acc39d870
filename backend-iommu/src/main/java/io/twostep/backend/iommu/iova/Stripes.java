package io.twostep.backend.iommu.iova;

import io.twostep.dma.spi.ThreadPlaces;
import java.util.function.IntFunction;

/**
 * The parts of a striped structure, each its own lock; threads have one each as far as there are so many.
 *
 * <p>A part that is busy is passed over: which part serves a call must never matter for its result.
 */
final class Stripes<T extends SpinLock> {
  private static final int ROUNDS = 8;
  private static final int MOST = 1 << 16;

  private final T[] parts;
  private final ThreadPlaces places;

  private Stripes(T[] parts) {
    this.parts = parts;
    places = new ThreadPlaces(parts.length);
  }

  /** Make as many parts as serve a number of threads without waiting. */
  static <T extends SpinLock> Stripes<T> of(String name, int threads, IntFunction<T[]> array, IntFunction<T> part) {
    if (threads < 1 || threads > MOST) {
      throw new IllegalArgumentException(name + ": stripes must be from 1 to " + MOST + ", not " + threads);
    }
    T[] parts = array.apply(1 << RangeSize.order(threads));
    for (int index = 0; index < parts.length; index++) {
      parts[index] = part.apply(index);
    }
    return new Stripes<>(parts);
  }

  /** Return all parts. */
  T[] all() {
    return parts;
  }

  /** Lock one of the parts for the calling thread, which unlocks it. */
  T lock() {
    int own = places.ofThread();
    T part = parts[own];
    return part.tryLock() ? part : lockAnother(own);
  }

  private T lockAnother(int own) {
    for (int offset = 1; offset < ROUNDS * parts.length; offset++) {
      T part = parts[(own + offset) & (parts.length - 1)];
      if (part.tryLock()) {
        return part;
      }
      Thread.onSpinWait();
    }
    parts[own].lock();
    return parts[own];
  }
}
