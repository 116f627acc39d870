package io.twostep.tck;

import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Set;

/** What the groups of rules stand on; {@link BackendTck} provides it. */
public interface TckFixture {
  /** Calls of the machine that a sweep fails at most, one after the other. */
  int MOST_CALLS = 400;

  /** Return the world the stack is proved in. */
  TckSetup setup();

  /** Return what the stack offers; the rest must be refused. */
  Set<Behavior> behaviors();

  /**
   * Return where edges of ranges may lie: 1 for anywhere, else a power of two such as the granule or a cache line, in bytes. Ranges with other edges must be
   * refused.
   */
  long edge();

  /** Return the rig of this test, made when first asked for. */
  TckRig rig();

  /** Make one more rig of the same stack in another world; closed with the test. */
  TckRig open(TckSetup other);

  /** Make one more rig of the same stack in a world that holds still, for tests that measure: no adversary, no clock; closed with the test. */
  TckRig calm();

  /** Make one more rig, that knows which states the layer that is proved handed down; closed with the test. Nothing to prove, and so skipped, where that is no layer. */
  TckRig watchingStates();

  /** Tell whether the stack offers it. */
  default boolean has(Behavior behavior) {
    return behaviors().contains(behavior);
  }

  /** Go on only with what is declared, and say what is not: the test is reported as skipped, since there is nothing to prove. */
  default void needs(Behavior... behaviors) {
    for (Behavior behavior : behaviors) {
      assumeTrue(has(behavior), () -> "the stack does not declare " + behavior + ", so that there is nothing to prove");
    }
  }

  /** End a sweep that failed one call after another; if the last of {@link #MOST_CALLS} was made too, the test is reported as skipped, since those behind were not tried. */
  default void requireAllSwept(boolean lastFired) {
    assumeFalse(lastFired, () -> "the work makes more calls of the machine than the " + MOST_CALLS + " that were failed one after the other, without harm; those behind were not tried");
  }

  /** Return an offset that is as crooked as the stack allows. */
  default long crooked() {
    return edge() == 1 ? 100 : edge();
  }

  /** Return {@code length} rounded up to where edges may lie. */
  default long rounded(long length) {
    return length + edge() - 1 & -edge();
  }

  /** Return how far apart things lie that lie {@code distance} bytes apart where edges are on pages of 4 KiB or closer: as many times that as edges are farther apart. */
  default long spaced(long distance) {
    return distance * Math.max(1, edge() / 4096);
  }

  /** Return the least length of ranges that may be linked one behind the other, whichever they are. */
  default long granuleOf(TckRig rig) {
    return Math.max(rig.mapper().limits().granule(), Math.max(edge(), setup().limits().minAlignMask() + 1));
  }

  /** Return the least length of ranges that may be linked one behind the other and unlinked again. */
  default long unitOf(TckRig rig) {
    return Math.max(rig.mapper().limits().unit(), granuleOf(rig));
  }
}
