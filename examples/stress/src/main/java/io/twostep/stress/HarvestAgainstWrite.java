package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZ_Result;

/** The device writes a page while its mark is read and cleared: the mark is in this harvest or in the next, never in neither and never in both. */
@JCStressTest
@Outcome(id = "true, false", expect = ACCEPTABLE, desc = "written before the harvest")
@Outcome(id = "false, true", expect = ACCEPTABLE, desc = "written after the harvest")
@State
public class HarvestAgainstWrite {
  private static final byte[] BYTE = {1};
  private static final DirtyTracking TRACKING = started();

  private final MemoryBlock block = World.page();
  private final DmaMapping mapping = World.TRANSLATED.map(block.phys(0), World.PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
  private final long address = mapping.dmaAddress();

  private static DirtyTracking started() {
    DirtyTracking tracking = World.TRANSLATED.dirtyTracking();
    tracking.start();
    return tracking;
  }

  @Actor
  public void write() {
    World.DEVICE.write(address, BYTE);
  }

  @Actor
  public void harvest(ZZ_Result result) {
    result.r1 = isMarked();
  }

  @Arbiter
  public void after(ZZ_Result result) {
    result.r2 = isMarked();
    mapping.close();
    block.close();
  }

  private boolean isMarked() {
    DirtyBitmap bitmap = new DirtyBitmap(address, World.PAGE, World.PAGE);
    TRACKING.readAndClear(bitmap);
    return bitmap.isDirty(address);
  }
}
