package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** Two threads have a page bounced at once: their slots are apart. */
@JCStressTest
@Outcome(id = "1", expect = ACCEPTABLE, desc = "slots of their own")
@State
public class BounceTogether {
  private static final DmaMapper MAPPER = World.bounced();
  private static final MemoryBlock FIRST = World.page();
  private static final MemoryBlock SECOND = World.page();

  private final DmaMapping first = MAPPER.newMapping();
  private final DmaMapping second = MAPPER.newMapping();

  @Actor
  public void first() {
    first.map(FIRST.phys(0), World.PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE);
  }

  @Actor
  public void second() {
    second.map(SECOND.phys(0), World.PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE);
  }

  @Arbiter
  public void after(I_Result result) {
    result.r1 = Math.abs(first.dmaAddress() - second.dmaAddress()) >= World.PAGE ? 1 : 0;
    first.close();
    second.close();
  }
}
