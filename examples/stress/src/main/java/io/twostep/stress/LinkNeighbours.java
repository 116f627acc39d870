package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import java.lang.foreign.ValueLayout;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two threads link neighbouring units of a new window, both finding no leaf table: one table is made, and the device reads both units. */
@JCStressTest
@Outcome(id = "1, 2", expect = ACCEPTABLE, desc = "both linked")
@State
public class LinkNeighbours {
  private static final long TABLE = 2 << 20;

  private final MemoryBlock first = World.page();
  private final MemoryBlock second = World.page();
  private final SparseWindow window = World.TRANSLATED.newWindow(TABLE, World.PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE);

  @Actor
  public void linkFirst() {
    first.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
    window.link(0, first.phys(0), World.PAGE, DmaDirection.TO_DEVICE);
  }

  @Actor
  public void linkSecond() {
    second.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 2);
    window.link(World.PAGE, second.phys(0), World.PAGE, DmaDirection.TO_DEVICE);
  }

  /** Read both units as the device does, then give everything back. */
  @Arbiter
  public void after(II_Result result) {
    result.r1 = World.DEVICE.read(window.address(), 1)[0];
    result.r2 = World.DEVICE.read(window.address() + World.PAGE, 1)[0];
    window.close();
    first.close();
    second.close();
  }
}
