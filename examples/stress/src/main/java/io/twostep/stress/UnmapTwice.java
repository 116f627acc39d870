package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two threads unmap one mapping: one does, the other is told, and the memory is free of it once. */
@JCStressTest
@Outcome(id = {"1, 0, 1", "0, 1, 1"}, expect = ACCEPTABLE, desc = "one thread tore it down")
@State
public class UnmapTwice {
  private final MemoryBlock block = World.page();
  private final DmaMapping mapping = World.TRANSLATED.map(block.phys(0), World.PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);

  @Actor
  public void first(III_Result result) {
    result.r1 = World.done(mapping::unmap);
  }

  @Actor
  public void second(III_Result result) {
    result.r2 = World.done(mapping::unmap);
  }

  /** A block closes only when nothing maps it. */
  @Arbiter
  public void after(III_Result result) {
    result.r3 = World.done(block::close);
  }
}
