package io.twostep.dma;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DirtyTracker;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Knows the open handles and buffers of one mapper; touched only when they are made and ended. */
final class HandleRegistry {
  /** Something that may hold memory and I/O addresses. */
  interface Holder {
    /** Tell whether it holds something now. */
    boolean holdsSomething();

    /** Tell whether writes through what it holds now would escape a tracker, because another stack made it. */
    boolean escapes(DirtyTracker tracker);

    /** Let go of the stack for good if nothing is held and no call runs. */
    void orphan();
  }

  private final Set<Holder> open = ConcurrentHashMap.newKeySet();

  void add(Holder holder) {
    open.add(holder);
  }

  void remove(Holder holder) {
    open.remove(holder);
  }

  /** Take their stack from all that hold nothing, whether or not the stacks of others could be closed. */
  void orphanIdle() {
    new Closing().thenEach(open, Holder::orphan).end();
  }

  /** Tell whether writes through anything that is held now would escape a tracker. */
  boolean escapes(DirtyTracker tracker) {
    return open.stream().anyMatch(holder -> holder.escapes(tracker));
  }

  int live() {
    int live = 0;
    for (Holder holder : open) {
      if (holder.holdsSomething()) {
        live++;
      }
    }
    return live;
  }
}
