package io.twostep.stress;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** The owner takes a buffer back while its importer unmaps it: both are done, and the memory is free of both. */
@JCStressTest
@Outcome(id = "1, 1, 1", expect = ACCEPTABLE, desc = "unmapped, taken back, and free")
@State
public class RevokeAgainstUnmap {
  private final MemoryBlock block = World.page();
  private final ExportedBuffer exported = ExportedBuffer.of(World.MACHINE, "stressed", PhysRanges.of(block.phys(0), World.PAGE));
  private final ImportedBuffer imported = exported.attach(World.TRANSLATED, () -> {});

  /** Map it. */
  public RevokeAgainstUnmap() {
    imported.mapLinear(DmaDirection.TO_DEVICE, DmaAttributes.NONE, LinearPolicy.IN_PLACE);
  }

  @Actor
  public void unmap(III_Result result) {
    result.r1 = World.done(imported::unmap);
  }

  @Actor
  public void revoke(III_Result result) {
    exported.revoke().toCompletableFuture().join();
    result.r2 = 1;
  }

  /** A block closes only when nothing maps it. */
  @Arbiter
  public void after(III_Result result) {
    imported.close();
    exported.close();
    result.r3 = World.done(block::close);
  }
}
