package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import io.twostep.machine.model.FailNth;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PinnedUmemTest {
  private static final long PAGE = 4096;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_READ;
  private static final int LENGTH = 100_000;

  private static byte[] deviceReads(Rig rig, DmaExtents extents) {
    byte[] seen = new byte[(int) extents.length()];
    int at = 0;
    for (int i = 0; i < extents.count(); i++) {
      byte[] part = rig.probe.read(extents.dmaAddress(i), (int) extents.length(i));
      System.arraycopy(part, 0, seen, at, part.length);
      at += part.length;
    }
    return seen;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void pagesStayWhereTheyAreWhateverTheProcessDoes(boolean translated) {
    try (Rig rig = new Rig(translated, SlotOptions.DEFAULT);
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(128 * PAGE, true) + 123;
      byte[] bytes = new byte[LENGTH];
      new Random(1).nextBytes(bytes);
      process.write(va, MemorySegment.ofArray(bytes), 0, LENGTH);
      PinBudget budget = new PinBudget(1 << 20);
      try (PinnedUmem umem = PinnedUmem.register(rig.mapper, process, va, LENGTH, ACCESS, budget)) {
        assertThat(umem.length()).isEqualTo(LENGTH);
        assertThat(budget.used()).isEqualTo(25 * PAGE);
        if (translated) {
          assertThat(umem.extents().count()).isEqualTo(1);
        }
        process.migrate(va & -PAGE, 25 * PAGE);
        process.swapOut(va & -PAGE, 25 * PAGE);
        try (ProcessMemory child = process.fork()) {
          rig.probe.write(umem.extents().dmaAddress(0), new byte[] {99});
          byte[] seen = new byte[LENGTH];
          child.read(va, MemorySegment.ofArray(seen), 0, LENGTH);
          assertThat(seen).as("the child has what was there when it was forked").isEqualTo(bytes);
        }
        bytes[0] = 99;
        bytes[LENGTH - 1] = 98;
        process.write(va + LENGTH - 1, MemorySegment.ofArray(bytes), LENGTH - 1, 1);
        assertThat(Arrays.mismatch(deviceReads(rig, umem.extents()), bytes)).isEqualTo(-1);
        process.unmap(va & -PAGE, 32 * PAGE);
        assertThat(Arrays.mismatch(deviceReads(rig, umem.extents()), bytes)).as("after unmap").isEqualTo(-1);
      }
      assertThat(budget.used()).isZero();
    }
  }

  @Test
  void registrationBeyondTheBudgetHoldsNothing() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(4 * PAGE, true);
      PinBudget budget = new PinBudget(3 * PAGE);
      DmaMappingException refused =
          catchThrowableOfType(DmaMappingException.class, () -> PinnedUmem.register(rig.mapper, process, va, 3 * PAGE + 1, ACCESS, budget));
      assertThat(refused.reason()).isEqualTo(Reason.PIN_LIMIT);
      assertThat(budget.used()).isZero();
      assertThat(rig.pool.framesInUse()).isZero();
    }
  }

  @Test
  void abortedRegistrationsHoldNothing() {
    boolean failed = true;
    for (int n = 1; failed; n++) {
      try (Rig rig = Rig.translated();
          ProcessMemory process = new ProcessMemory("p", rig.pool)) {
        long va = process.map(64 * PAGE, true);
        PinBudget budget = PinBudget.unlimited();
        rig.machine.failNth().arm(FailNth.Kind.PUBLISH, n);
        try (PinnedUmem umem = PinnedUmem.register(rig.mapper, process, va, 64 * PAGE, ACCESS, budget)) {
          assertThat(umem.length()).isEqualTo(64 * PAGE);
        } catch (DmaMappingException e) {
          assertThat(rig.machine.failNth().fired()).isTrue();
        }
        failed = rig.machine.failNth().fired();
        assertThat(budget.used()).isZero();
        assertThat(failed || n > 1).isTrue();
      }
    }
  }

  @Test
  void bestPageSizeIsWhatTryingAllSizesFinds() {
    Random random = new Random(7);
    for (int round = 0; round < 20_000; round++) {
      DmaExtents extents = new DmaExtents();
      int count = 1 + random.nextInt(3);
      for (int i = 0; i < count; i++) {
        extents.accept((long) random.nextInt(64) << random.nextInt(6), 1 + random.nextInt(64), 0);
      }
      long iova = random.nextInt(256);
      long best = 0;
      long smallestThatHoldsAll = Long.MAX_VALUE;
      for (long size = 256; size >= 1; size >>= 1) {
        if ((iova & -size) == ((iova + extents.length() - 1) & -size)) {
          smallestThatHoldsAll = size;
        }
      }
      for (long size = 1; size <= Math.min(256, smallestThatHoldsAll); size <<= 1) {
        best = fits(extents, iova, size) ? size : best;
      }
      assertThat(extents.bestPageSize(0x1ff, iova)).as("round %d", round).isEqualTo(best);
    }
  }

  private static boolean fits(DmaExtents extents, long iova, long size) {
    long at = iova;
    for (int i = 0; i < extents.count(); i++) {
      if (((extents.dmaAddress(i) - at) & (size - 1)) != 0 || (i > 0 && (at & (size - 1)) != 0)) {
        return false;
      }
      at += extents.length(i);
    }
    return true;
  }

  /** Fails once everything is visible to the device, and takes nothing down. */
  private static final class StubbornHost implements LayerBackend {
    private long visible;

    @Override
    public String name() {
      return "stubborn host";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void publish(MappingState state, long offset, long length, Retirement undo) {
          next.publish(state, offset, length, undo);
          visible = state.dmaAddress;
          throw new DmaMappingException(Reason.PIN_LIMIT, "no more is pinned");
        }

        @Override
        public void release(MappingState state, Retirement batch) {
          throw new DmaMappingException(Reason.QUARANTINED, "not confirmed");
        }
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void pagesThatTheDeviceReachesAfterARefusalThatCouldNotBeUndoneStayPinned() {
    StubbornHost host = new StubbornHost();
    Rig rig = Rig.translated();
    rig.mapper.restack(DmaStack.of(rig.iommu, host));
    ProcessMemory process = new ProcessMemory("p", rig.pool);
    long va = process.map(2 * PAGE, true);
    PinBudget budget = PinBudget.unlimited();
    DmaMappingException refused =
        catchThrowableOfType(DmaMappingException.class, () -> PinnedUmem.register(rig.mapper, process, va, 2 * PAGE, ACCESS, budget));
    assertThat(refused.reason()).isEqualTo(Reason.PIN_LIMIT);
    rig.probe.write(host.visible, new byte[] {42});
    process.close();
    assertThat(rig.pool.framesInUse()).as("the device reaches them").isEqualTo(2);
    assertThat(budget.used()).isEqualTo(2 * PAGE);
    rig.machine.close();
  }
}
