package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** One thread closes a block while another maps it: never both, or a device would reach memory that belongs to somebody else. */
@JCStressTest
@Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "closed, and not mapped")
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "mapped, and kept open")
@State
public class CloseAgainstMap {
  private final MemoryBlock block = World.page();
  private final long phys = block.phys(0);
  private final DmaMapping mapping = World.TRANSLATED.newMapping();

  @Actor
  public void close(II_Result result) {
    result.r1 = World.done(block::close);
  }

  @Actor
  public void map(II_Result result) {
    try {
      mapping.map(phys, World.PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE);
      result.r2 = 1;
    } catch (DmaMappingException closed) {
      result.r2 = 0;
    }
  }

  /** Give everything back, so that states can be made for as long as the test runs. */
  @Arbiter
  public void after(II_Result result) {
    mapping.close();
    if (result.r1 == 0) {
      block.close();
    }
  }
}
