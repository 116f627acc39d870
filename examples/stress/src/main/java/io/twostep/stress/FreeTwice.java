package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import java.util.concurrent.ThreadLocalRandom;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two threads free one range of I/O addresses, small ones that go to a magazine and large ones that go to the tree of free ranges: one does, the other is told, or the range would be given out twice. */
@JCStressTest
@Outcome(id = {"1, 0", "0, 1"}, expect = ACCEPTABLE, desc = "freed once")
@State
public class FreeTwice {
  private static final IovaAllocator ALLOCATOR = new IovaAllocator(new IovaSpace("stressed", World.PAGE, 0, (1L << 48) - 1), 2);

  private final int granules = ThreadLocalRandom.current().nextBoolean() ? 1 : 1000;
  private final long iova = ALLOCATOR.allocate(granules, -1L);

  @Actor
  public void first(II_Result result) {
    result.r1 = World.done(() -> ALLOCATOR.free(iova, granules));
  }

  @Actor
  public void second(II_Result result) {
    result.r2 = World.done(() -> ALLOCATOR.free(iova, granules));
  }
}
