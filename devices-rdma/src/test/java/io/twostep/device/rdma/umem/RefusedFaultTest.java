package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PageFaultException;
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
import java.lang.foreign.ValueLayout;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults that fail when a part of what they ask for is done, and pages that the host does not unlink: the device reaches nothing that is not the process's, and keeps no entry that nobody would take away. */
class RefusedFaultTest {
  private static final long PAGE = 4096;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aPageThatBecameWritableInAFaultThatFailedGoesBeforeItIsMoved(boolean translated) {
    try (Rig rig = new Rig(translated, SlotOptions.DEFAULT);
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long huge = process.hugePageSize();
      long va = process.mapHuge(huge, true);
      process.mapAt(va + huge, huge, true);
      write(process, va);
      ProcessMemory child = process.fork();
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 2 * huge, ACCESS | AccessFlags.HUGE_PAGES, table)) {
        child.close();
        write(process, va);
        write(process, va + huge);
        PageFaultException refused = catchThrowableOfType(PageFaultException.class, () -> umem.fault(va, 2 * huge, FaultMode.WRITE));
        assertThat(refused.kind()).isEqualTo(PageFaultException.Kind.PAGE_SIZE);
        process.discard(va, huge);
        assertThat(table.read(0, 1)).as("read of a frame that is free").isNull();
      }
    }
  }

  /** A host that refuses some calls. */
  private static final class RefusingHost implements LayerBackend {
    private int publishes;
    private int unlinks;

    @Override
    public String name() {
      return "refusing host";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void publish(MappingState state, long offset, long length, Retirement undo) {
          if (publishes-- > 0) {
            throw new DmaMappingException(Reason.PIN_LIMIT, "no more is pinned");
          }
          next.publish(state, offset, length, undo);
        }

        @Override
        public void unlink(MappingState state, long offset, long length, Retirement batch) {
          if (unlinks-- > 0) {
            throw new DmaMappingException(Reason.QUARANTINED, "not confirmed");
          }
          next.unlink(state, offset, length, batch);
        }
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void aPageThatTheHostDidNotUnlinkIsNotTakenForTheOneThatFollowedIt() {
    RefusingHost host = new RefusingHost();
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      rig.mapper.restack(DmaStack.of(rig.iommu, host));
      long va = process.map(PAGE, true);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, ACCESS, table)) {
        umem.fault(va, PAGE, FaultMode.WRITE);
        host.unlinks = 1;
        process.migrate(va, PAGE);
        assertThat(rig.pool.quarantinedFrames()).isEqualTo(1);
        assertThatIllegalStateException().isThrownBy(() -> umem.fault(va, PAGE, FaultMode.WRITE)).withMessageContaining("register anew");
        assertThat(table.write(0, new byte[] {42})).as("write to the frame where the page was").isFalse();
      }
      table = new TestPageTable(rig.probe);
      try (OnDemandUmem anew = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, ACCESS, table)) {
        assertThat(table.write(0, new byte[] {42})).isTrue();
        assertThat(anew.linkedPages()).isEqualTo(1);
      }
      MemorySegment seen = MemorySegment.ofArray(new byte[1]);
      process.read(va, seen, 0, 1);
      assertThat(seen.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void aPageWhoseLinkCouldNotBeUndoneGoesLater(int refusedUnlinks) {
    RefusingHost host = new RefusingHost();
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      rig.mapper.restack(DmaStack.of(rig.iommu, host));
      long va = process.map(PAGE, true);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, ACCESS, table)) {
        host.publishes = 1;
        host.unlinks = refusedUnlinks;
        DmaMappingException refused = catchThrowableOfType(DmaMappingException.class, () -> umem.fault(va, PAGE, FaultMode.WRITE));
        assertThat(refused.reason()).isEqualTo(Reason.PIN_LIMIT);
        assertThat(umem.linkedPages()).isEqualTo(refusedUnlinks - 1);
        process.migrate(va, PAGE);
        assertThat(umem.linkedPages()).isZero();
        assertThat(rig.pool.quarantinedFrames()).isZero();
        if (refusedUnlinks == 1) {
          umem.fault(va, PAGE, FaultMode.WRITE);
          assertThat(table.write(0, new byte[] {42})).isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"protect, 1, 1", "close, 1, 2", "a fault that cannot be undone, 1, 1", "what a fault that fails lets go of, 2, 2"})
  void aPageWhoseInvalidationWasNotConfirmedIsNeverReusedThoughItWasLeftInPlace(String how, int invalidation, int pages) {
    try (Rig rig = Rig.translated()) {
      RefusingHost host = new RefusingHost();
      rig.mapper.restack(DmaStack.of(rig.iommu, host));
      try (ProcessMemory process = new ProcessMemory("p", rig.pool)) {
        long va = process.map(3 * PAGE, true);
        write(process, va);
        write(process, va + PAGE);
        OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 3 * PAGE, ACCESS, new TestPageTable(rig.probe));
        assertThat(umem.linkedPages()).isEqualTo(2);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, invalidation);
        switch (how) {
          case "protect" -> process.protect(va, PAGE, false);
          case "close" -> assertReason(Reason.QUARANTINED, umem::close);
          default -> {
            host.publishes = 1;
            assertReason(Reason.PIN_LIMIT, () -> umem.fault(va, 3 * PAGE, FaultMode.WRITE));
          }
        }
        assertThat(rig.machine.failNth().fired()).isTrue();
        umem.close();
        assertThat(rig.pool.quarantinedFrames()).as("still the process's").isZero();
        process.discard(va, 3 * PAGE);
        assertThat(rig.pool.quarantinedFrames()).isEqualTo(pages);
      }
      rig.slot.reset();
      rig.mapper.releaseQuarantined();
    }
  }

  private static void assertReason(Reason reason, ThrowingCallable call) {
    assertThat(catchThrowableOfType(DmaMappingException.class, call).reason()).isEqualTo(reason);
  }

  private static void write(ProcessMemory process, long va) {
    process.write(va, MemorySegment.ofArray(new byte[] {1}), 0, 1);
  }
}
