package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.model.FailNth;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who waits for memory that is taken back may take locks, and wait for threads that use the mapping layer: none of its own locks is held when he hears of it. */
class RevocationLocksTest {
  private static final int PAGE = Rig.PAGE;

  private final List<String> blocked = new ArrayList<>();
  private final List<Thread> others = new ArrayList<>();
  private int ran;

  @AfterEach
  void join() throws InterruptedException {
    for (Thread other : others) {
      other.join();
    }
  }

  /** Have another thread do something now and wait for it, unless it waits for a lock: nobody but this thread can have one that our code asks for. */
  private void elsewhere(Runnable work) {
    Thread other = new Thread(work);
    others.add(other);
    other.start();
    ran++;
    while (other.getState() != Thread.State.TERMINATED && blocked.isEmpty()) {
      StackTraceElement[] stack = other.getStackTrace();
      if (other.getState() == Thread.State.BLOCKED && stack.length != 0 && stack[0].getClassName().startsWith("io.twostep.dma")) {
        blocked.add(stack[0].toString());
      }
    }
  }

  private void assertRanUnblocked() {
    assertThat(blocked).as("locks that the other thread needed and this one had").isEmpty();
    assertThat(ran).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU"})
  void teardownOfARequestHoldsNoLockWhenItLetsGoOfWhatWasTakenBack(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      transfer.map(TestRanges.of(rig.behindMemory.phys(), PAGE, rig.nearMemory.phys(), PAGE), BIDIRECTIONAL, NONE, new Entries());
      CompletableFuture<Void> gone = rig.nearMemory.revoke().toCompletableFuture();
      assertThat(gone).as("a bus address, which only the driver gives up").isNotDone();
      gone.thenRun(() -> elsewhere(rig.behindMemory::revoke));
      transfer.unmap();
      assertThat(gone).isCompleted();
      assertRanUnblocked();
    }
  }

  @Test
  void memoryTakenBackWhileARequestIsTornDownIsLeftToThatCall() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      AtomicInteger told = new AtomicInteger();
      transfer.onRevoke(told::incrementAndGet);
      transfer.map(TestRanges.of(rig.behindMemory.phys(), PAGE, rig.behindMemory.phys() + 2 * PAGE, PAGE), BIDIRECTIONAL, NONE, new Entries());
      rig.counting.teardown = () -> elsewhere(rig.behindMemory::revoke);
      transfer.unmap();
      assertRanUnblocked();
      assertThat(rig.counting.releases + rig.counting.unmaps).isEqualTo(1);
      assertThat(told).as("a driver that lets go need not be told").hasValue(0);
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  @Test
  void aCallDuringWhichMemoryWasTakenBackHoldsNoLockWhenItLetsGo() {
    try (Rig rig = new Rig(Kind.IOMMU);
        IovaReservation reservation = rig.mapper.newReservation()) {
      rig.machine.accessControl("0000:02:01.0", "rr+cr");
      reservation.tryAlloc(0, 3 * PAGE, BIDIRECTIONAL, NONE);
      reservation.link(0, rig.nearMemory.phys(), PAGE);
      PhysRanges source = TestRanges.of(rig.behindMemory.phys(), PAGE);
      reservation.link(
          PAGE,
          new PhysRanges() {
            @Override
            public void rewind() {
              source.rewind();
            }

            @Override
            public int fill(long[] phys, long[] length) {
              int count = source.fill(phys, length);
              if (count == 0) {
                rig.behindMemory.revoke().thenRun(() -> elsewhere(rig.nearMemory::revoke));
              }
              return count;
            }
          });
      assertRanUnblocked();
      reservation.destroy();
    }
  }

  /** Memory at which something happens just before it is first asked what an address is. */
  private static final class HookedMemory extends ForwardingMemory {
    private long hooked;
    private Runnable hook = () -> {};

    HookedMemory(PhysicalMemory real) {
      super(real);
    }

    /** Do something once, before {@code phys}, which is not 0, is looked up. */
    void before(long phys, Runnable task) {
      hooked = phys;
      hook = task;
    }

    @Override
    public MemoryRegion regionOf(long phys, long length) {
      if (phys == hooked) {
        hooked = 0;
        hook.run();
      }
      return super.regionOf(phys, length);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aBufferThatCannotBeRestoredHoldsNoLockWhenItLetsGo(boolean sameOwner) {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      HookedMemory memory = new HookedMemory(rig.machine.memory());
      Machine machine = new HostedMachine(rig.machine, memory, rig.slot, rig.host);
      try (ExportedBuffer exported = ExportedBuffer.of(machine, "frame", PhysRanges.of(rig.nearMemory.phys(), PAGE))) {
        exported.revoke();
        long second = sameOwner ? rig.nearMemory.phys() + PAGE : rig.behindMemory.phys();
        memory.before(second, () -> rig.nearMemory.revoke().thenRun(() -> elsewhere(exported::revoke)));
        assertThatThrownBy(() -> exported.restore(PhysRanges.of(rig.nearMemory.phys(), PAGE, second, PAGE)))
            .as("too long, or of two owners")
            .isInstanceOf(IllegalArgumentException.class);
        assertRanUnblocked();
      }
    }
  }

  @Test
  void releaseOfWhatWasQuarantinedHoldsNoLockWhenItLetsGo() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      CompletableFuture<Void> gone = rig.behindMemory.revoke().toCompletableFuture();
      assertThat(rig.mapper.quarantined()).isEqualTo(1);
      gone.thenRun(() -> elsewhere(rig.mapper::quarantined));
      rig.slot.reset();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      assertThat(gone).isCompleted();
      assertRanUnblocked();
      assertReason(Reason.QUARANTINED, mapping::close);
    }
  }
}
