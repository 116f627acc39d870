package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.backend.iommu.iova.FlushQueue;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** A range is queued while a flush begins: it is released only by a flush that saw its table entry cleared, or a device would still reach it by the old one. */
@JCStressTest
@Outcome(id = "0", expect = ACCEPTABLE, desc = "waits for the next flush")
@Outcome(id = "1", expect = ACCEPTABLE, desc = "released by a flush that saw the entry cleared")
@State
public class FlushAgainstAdd {
  private static final long EARLIER = 0x1000;
  private static final long RACED = 0x2000;

  private final FlushQueue queue = new FlushQueue("stressed", 1, this::flush, this::release, (delay, task) -> {});
  private int present = 1;
  private boolean sawItCleared;
  private int released;

  /** Queue a range that gives the flush its reason. */
  public FlushAgainstAdd() {
    queue.add(EARLIER, 1, 0);
  }

  @Actor
  public void clearAndAdd() {
    present = 0;
    queue.add(RACED, 1, 0);
  }

  @Actor
  public void drain(I_Result result) {
    queue.drain();
    result.r1 = released;
  }

  private void flush() {
    sawItCleared = present == 0;
  }

  private void release(long iova, long granules, long tableChain) {
    if (iova == RACED) {
      released = sawItCleared ? 1 : 2;
    }
  }
}
