package io.twostep.tck;

import java.util.BitSet;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Rule E6p: whatever a driver does in whatever order, CPU and device see what they must.
 *
 * <p>{@code -Dtwostep.seed=} repeats a history; a failure names its seed and lists the fewest steps that were found to fail.
 */
public interface HistoryRules extends TckFixture {
  /** Seeds that found something once; one more is new each run. */
  List<Long> KEPT_SEEDS = List.of(1L, 4_268_787_374L);

  /** E6p. */
  @Test
  @Tag("may-break:device-used-beyond-end+device-used-hole+device-used-unknown-address+device-used-unlinked+device-used-unmapped")
  @Tag("may-break:device-used-wrong-direction")
  default void e6pRandomHistoriesAgreeWithTheOracle() {
    Long chosen = Long.getLong("twostep.seed");
    int steps = 250 * TckScale.factor();
    if (chosen != null) {
      prove(chosen, steps);
      return;
    }
    for (long seed : KEPT_SEEDS) {
      prove(seed, steps);
    }
    prove(System.nanoTime() & 0xffff_ffffL, steps);
  }

  private void prove(long seed, int steps) {
    BitSet all = new BitSet(steps);
    all.set(0, steps);
    Supplier<TckRig> rigs = () -> open(setup().withMachineSeed(seed));
    Attempt failed = attempt(rigs, seed, all);
    if (failed.failure != null) {
      Attempt shortest = shrink(rigs, seed, all, failed);
      throw new AssertionError(
          "repeat with -Dtwostep.seed=%d; %d of %d steps are enough:%n%s%n%s"
              .formatted(seed, shortest.steps.cardinality(), steps, shortest.log, shortest.failure),
          shortest.failure);
    }
  }

  /** What came of a history. */
  record Attempt(BitSet steps, String log, @Nullable Throwable failure) {}

  private Attempt attempt(Supplier<TckRig> rigs, long seed, BitSet steps) {
    TckRig rig = rigs.get();
    History history = new History(this, rig, seed);
    try {
      for (int i = steps.nextSetBit(0); i >= 0; i = steps.nextSetBit(i + 1)) {
        history.step(i);
      }
      history.finish();
      rig.close();
      return new Attempt(steps, history.log(), null);
    } catch (AssertionError | RuntimeException e) {
      return new Attempt(steps, history.log(), e);
    } finally {
      rig.abandon();
    }
  }

  /** Leave out ever smaller groups of steps as long as the rest still fails. */
  private Attempt shrink(Supplier<TckRig> rigs, long seed, BitSet all, Attempt failed) {
    Attempt shortest = failed;
    int tries = 60;
    for (int group = Math.max(1, all.length() / 2); group >= 1 && tries > 0; group /= 2) {
      for (int from = 0; from < all.length() && tries > 0; from += group) {
        BitSet fewer = (BitSet) shortest.steps.clone();
        fewer.clear(from, from + group);
        if (fewer.equals(shortest.steps)) {
          continue;
        }
        tries--;
        Attempt next = attempt(rigs, seed, fewer);
        if (next.failure != null) {
          shortest = next;
        }
      }
    }
    return shortest;
  }
}
