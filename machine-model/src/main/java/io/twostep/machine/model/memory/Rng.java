package io.twostep.machine.model.memory;

/**
 * Draw numbers from a seed: SplitMix64, so that a seed means the same run on every JDK.
 *
 * <p>Not thread-safe. Parts of the machine draw from streams of their own, split off by name, so that one part's use does not move another's.
 */
public final class Rng {
  private static final long GAMMA = 0x9E3779B97F4A7C15L;

  private final long seed;
  private long state;

  /** Start a stream. */
  public Rng(long seed) {
    this.seed = seed;
    this.state = seed;
  }

  /** Return an independent stream named {@code purpose}; does not move this one. */
  public Rng split(String purpose) {
    return new Rng(mix(seed ^ mix(purpose.hashCode() * GAMMA)));
  }

  /** Return 64 random bits. */
  public long next() {
    state += GAMMA;
    return mix(state);
  }

  /** Return a number from 0 to {@code bound} - 1. */
  public int below(int bound) {
    return (int) (((next() >>> 32) * bound) >>> 32);
  }

  /** Return true once in {@code times}. */
  public boolean oneIn(int times) {
    return below(times) == 0;
  }

  private static long mix(long z) {
    long y = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    long x = (y ^ (y >>> 27)) * 0x94D049BB133111EBL;
    return x ^ (x >>> 31);
  }
}
