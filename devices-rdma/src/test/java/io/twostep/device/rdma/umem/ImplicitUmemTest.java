package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.ProcessMemory;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ImplicitUmemTest {
  private static final long PAGE = 4096;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_READ;

  /** A root that remembers what was committed, and counts open tables. */
  private static final class Root implements ImplicitPageTables {
    private final Rig rig;
    private final Map<Long, @Nullable DevicePageTable> prepared = new HashMap<>();
    private final Map<Long, DevicePageTable> slots = new HashMap<>();
    private int open;
    private Runnable onOpen = () -> {};
    private Runnable onDisconnect = () -> {};
    private @Nullable RuntimeException failCommit;

    Root(Rig rig) {
      this.rig = rig;
    }

    @Override
    public synchronized DevicePageTable open(long start, long length) {
      open++;
      onOpen.run();
      return new TestPageTable(rig.probe);
    }

    @Override
    public synchronized void connect(long start, @Nullable DevicePageTable piece) {
      if (piece == null) {
        onDisconnect.run();
      }
      prepared.put(start, piece);
    }

    @Override
    public synchronized void commit() {
      RuntimeException failure = failCommit;
      // What was prepared may be in use all the same: the device was not heard of in time.
      prepared.forEach((start, piece) -> {
        if (piece == null) {
          slots.remove(start);
        } else {
          slots.put(start, piece);
        }
      });
      prepared.clear();
      if (failure != null) {
        throw failure;
      }
    }

    @Override
    public synchronized void close(DevicePageTable piece) {
      assertThat(slots.values()).as("tables that slots name").doesNotContain(piece);
      assertThat(((TestPageTable) piece).size()).isZero();
      open--;
    }

    synchronized @Nullable TestPageTable at(long va) {
      return (TestPageTable) slots.get(va & -ImplicitUmem.PIECE);
    }
  }

  @Test
  void piecesComeWithFaultsAndGoWithTheirLastPage() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long edge = process.map(PAGE, true) + ImplicitUmem.PIECE & -ImplicitUmem.PIECE;
      process.mapAt(edge - PAGE, 2 * PAGE, true);
      try (ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root)) {
        process.write(edge - 1, MemorySegment.ofArray(new byte[] {1, 2}), 0, 2);
        assertThat(root.at(edge)).isNull();
        umem.fault(edge - 1, 2, FaultMode.READ);
        assertThat(umem.pieces()).isEqualTo(2);
        assertThat(root.at(edge - 1).read(ImplicitUmem.PIECE - 1, 1)).containsExactly(1);
        assertThat(root.at(edge).read(0, 1)).containsExactly(2);
        process.swapOut(edge, PAGE);
        assertThat(umem.pieces()).isEqualTo(1);
        assertThat(root.at(edge)).isNull();
        assertThat(root.open).isEqualTo(1);
        umem.fault(edge, 1, FaultMode.READ);
        assertThat(root.at(edge).read(0, 1)).containsExactly(2);
        assertThat(umem.piecesCreated()).isEqualTo(3);
      }
      assertThat(root.open).isZero();
      assertThat(process.statistics().subscriptions()).isZero();
    }
  }

  @Test
  void faultWhereNothingIsMappedLeavesNoPiece() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      try (ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root)) {
        PageFaultException refused = catchThrowableOfType(PageFaultException.class, () -> umem.fault(1L << 40, 8, FaultMode.READ));
        assertThat(refused.kind()).isEqualTo(PageFaultException.Kind.NOT_MAPPED);
        assertThat(umem.pieces()).isZero();
        assertThat(root.open).isZero();
      }
    }
  }

  @Test
  void pieceThatIsMadeWhileTheWholeIsClosedGoesWithIt() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long va = process.map(PAGE, true);
      ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root);
      root.onOpen = umem::close;
      assertThatIllegalStateException().isThrownBy(() -> umem.fault(va, 1, FaultMode.WRITE)).withMessageContaining("closed");
      assertThat(umem.pieces()).isZero();
      assertThat(root.open).isZero();
      assertThat(root.at(va)).isNull();
      assertThat(process.statistics().subscriptions()).isZero();
    }
  }

  @Test
  void piecesReapedByAnotherThreadAreMadeAnew() throws InterruptedException {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long va = process.map(4 * PAGE, true);
      process.write(va, MemorySegment.ofArray(new byte[] {7}), 0, 1);
      AtomicBoolean stop = new AtomicBoolean();
      AtomicLong migrations = new AtomicLong();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      try (ImplicitUmem umem = rig.patientSource(process).registerAll(ACCESS, root)) {
        Thread changer = new Thread(() -> {
          try {
            while (!stop.get()) {
              process.migrate(va, 4 * PAGE);
              migrations.incrementAndGet();
            }
          } catch (RuntimeException | Error e) {
            failure.set(e);
          }
        });
        changer.start();
        Random random = new Random(5);
        for (int round = 0; round < 50 && failure.get() == null; round++) {
          for (int faults = 1 + random.nextInt(8); faults > 0; faults--) {
            umem.fault(va + random.nextInt(4) * PAGE, 1, FaultMode.WRITE);
          }
          // Without a pause the piece may be in use whenever its last page goes, for as long as the scheduler likes.
          for (long before = migrations.get(); umem.pieces() != 0 && failure.get() == null && migrations.get() - before < 1000; ) {
            Thread.onSpinWait();
          }
        }
        stop.set(true);
        changer.join();
        assertThat(failure.get()).isNull();
        assertThat(umem.piecesCreated()).isGreaterThanOrEqualTo(50);
        umem.fault(va, 1, FaultMode.READ);
        assertThat(root.at(va).read(va & (ImplicitUmem.PIECE - 1), 1)).containsExactly(7);
      }
      assertThat(root.open).isZero();
    }
  }

  @Test
  void pieceThatTheRootMayNameAfterAFailureIsTakenOutOfItBeforeItGoes() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long va = process.map(PAGE, true);
      try (ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root)) {
        root.failCommit = new IllegalStateException("hung");
        assertThatIllegalStateException().isThrownBy(() -> umem.fault(va, 1, FaultMode.WRITE)).withMessage("hung");
        root.failCommit = null;
        assertThat(root.at(va)).isNotNull();
        process.discard(va, PAGE);
        assertThat(umem.pieces()).isZero();
        assertThat(root.at(va)).isNull();
        assertThat(root.open).isZero();
        umem.fault(va, 1, FaultMode.WRITE);
        assertThat(root.at(va)).isNotNull();
      }
    }
  }

  @Test
  void pieceThatTheDeviceDoesNotLetGoOfIsLeftForClose() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long va = process.map(PAGE, true);
      ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root);
      umem.fault(va, 1, FaultMode.WRITE);
      root.failCommit = new IllegalStateException("hung");
      process.discard(va, PAGE);
      assertThat(umem.pieces()).isZero();
      assertThat(root.open).isEqualTo(1);
      assertThatIllegalStateException().isThrownBy(umem::close).withMessage("hung");
      assertThat(root.open).isEqualTo(1);
      root.failCommit = null;
      umem.close();
      assertThat(root.open).isZero();
      assertThat(process.statistics().subscriptions()).isZero();
    }
  }

  @Test
  void closeAwaitsAPieceThatAChangeIsGivingUp() throws InterruptedException {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      Root root = new Root(rig);
      long va = process.map(PAGE, true);
      ImplicitUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).registerAll(ACCESS, root);
      umem.fault(va, 1, FaultMode.WRITE);
      Thread closer = new Thread(umem::close);
      AtomicReference<Thread.State> met = new AtomicReference<>();
      root.onDisconnect =
          () -> {
            closer.start();
            Thread.State state = closer.getState();
            while (state == Thread.State.NEW || state == Thread.State.RUNNABLE) {
              Thread.onSpinWait();
              state = closer.getState();
            }
            met.set(state);
          };
      process.discard(va, PAGE);
      closer.join();
      assertThat(met.get()).as("the root is its owner's until close returns").isNotNull().isNotEqualTo(Thread.State.TERMINATED);
      assertThat(root.open).isZero();
    }
  }
}
