package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two threads free one range of I/O addresses that goes to the tree of free ranges: one does, the other is told, or the range would be given out twice. */
@JCStressTest
@Outcome(id = {"1, 0", "0, 1"}, expect = ACCEPTABLE, desc = "freed once")
@State
public class FreeTwiceLarge {
  private static final int GRANULES = 1000;
  private static final IovaAllocator ALLOCATOR = new IovaAllocator(new IovaSpace("stressed", World.PAGE, 0, (1L << 48) - 1), 2);

  private final long iova = ALLOCATOR.allocate(GRANULES, -1L);

  @Actor
  public void first(II_Result result) {
    result.r1 = World.done(() -> ALLOCATOR.free(iova, GRANULES));
  }

  @Actor
  public void second(II_Result result) {
    result.r2 = World.done(() -> ALLOCATOR.free(iova, GRANULES));
  }
}
