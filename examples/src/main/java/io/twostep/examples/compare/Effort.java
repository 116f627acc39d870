package io.twostep.examples.compare;

/**
 * How long a comparison measures.
 *
 * @param rounds rounds that count, in each of which every contender has its turn
 * @param roundNanos time of a turn
 * @param warmUpNanos time of a turn before that, long enough that code is compiled for the contenders it is shared by
 */
public record Effort(int rounds, long roundNanos, long warmUpNanos) {
  /** Rounds before those that count: what one contender is compiled for is compiled anew when others have come. */
  static final int WARM_UP_ROUNDS = 3;

  /** Measure for so many rounds, and warm up the longer the more there are. */
  public static Effort of(int rounds) {
    return new Effort(rounds, 3_000_000, 16_000_000L * rounds);
  }

  /** Measure for at most so many rounds when most of the code is compiled, as it is after another comparison. */
  public static Effort whenWarm(int rounds) {
    int fewer = Math.min(rounds, 5);
    return new Effort(fewer, 2_000_000, 6_000_000L * fewer);
  }
}
