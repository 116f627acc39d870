package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.mirror.ProcessStatistics;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.junit.jupiter.api.Test;

/**
 * A device and a process write and read the same pages, while another thread moves, swaps, forks, discards and remaps them; what everybody reads is compared with an oracle, byte by byte.
 *
 * <p>{@code -Dtwostep.churn=} sets the page events, {@code -Dtwostep.seed=} the seed.
 */
class ChurnTest {
  private static final int PAGE = 4096;
  private static final int PAGES = 512;
  private static final long EVENTS = Long.getLong("twostep.churn", 1_000_000);
  private static final long SEED = Long.getLong("twostep.seed", 20261121);

  private final byte[] oracle = new byte[PAGES * PAGE];
  private final Object[] pageLocks = new Object[PAGES];

  /** Held for writing by whoever needs contents to stand still. */
  private final ReentrantReadWriteLock world = new ReentrantReadWriteLock();

  private final AtomicLong deviceFaults = new AtomicLong();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final AtomicBoolean done = new AtomicBoolean();

  private ProcessMemory process;
  private OnDemandUmem umem;
  private TestPageTable table;
  private long va;

  @Test
  void everyByteIsRightWhilePagesComeAndGo() throws InterruptedException {
    Arrays.setAll(pageLocks, i -> new Object());
    try (Rig rig = Rig.translated()) {
      process = new ProcessMemory("p", rig.pool);
      va = process.map(PAGES * PAGE, true);
      table = new TestPageTable(rig.probe);
      int access = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
      umem = rig.patientSource(process).register(va, PAGES * PAGE, access, table);
      Thread changer = start("changer", SEED, this::change);
      Thread user = start("user", SEED + 1, this::use);
      use(new Random(SEED + 2));
      user.join();
      changer.join();
      assertThat(failure.get()).as("seed %d", SEED).isNull();
      checkAll(process);
      umem.close();
      assertThat(umem.linkedPages()).isZero();
      assertThat(table.size()).isZero();
      process.close();
      assertThat(process.statistics().swapSlots()).isZero();
      assertThat(rig.pool.framesInUse()).isZero();
      assertThat(rig.pool.quarantinedFrames()).isZero();
    }
  }

  private interface Part {
    void run(Random random);
  }

  private Thread start(String name, long seed, Part part) {
    Thread thread = new Thread(() -> part.run(new Random(seed)), name);
    thread.start();
    return thread;
  }

  private long events() {
    ProcessStatistics seen = process.statistics();
    return seen.faultedPages() + seen.copiedPages() + seen.movedPages() + seen.swappedPages() + deviceFaults.get();
  }

  private void guarded(Runnable work) {
    try {
      while (!done.get()) {
        for (int i = 0; i < 64; i++) {
          work.run();
        }
        if (events() >= EVENTS) {
          done.set(true);
        }
      }
    } catch (RuntimeException | Error e) {
      failure.compareAndSet(null, e);
      done.set(true);
    }
  }

  private void use(Random random) {
    guarded(() -> {
      world.readLock().lock();
      try {
        int page = random.nextInt(PAGES);
        int at = random.nextInt(PAGE);
        int length = 1 + random.nextInt(Math.min(64, PAGE - at));
        synchronized (pageLocks[page]) {
          access(random, page * PAGE + at, length);
        }
      } finally {
        world.readLock().unlock();
      }
    });
  }

  private void access(Random random, int at, int length) {
    byte[] expected = Arrays.copyOfRange(oracle, at, at + length);
    switch (random.nextInt(4)) {
      case 0 -> {
        random.nextBytes(expected);
        while (!table.write(at, expected)) {
          faultDevice(at, length, FaultMode.WRITE);
        }
        System.arraycopy(expected, 0, oracle, at, length);
      }
      case 1 -> {
        byte[] seen = table.read(at, length);
        while (seen == null) {
          faultDevice(at, length, FaultMode.READ);
          seen = table.read(at, length);
        }
        assertThat(seen).as("device at %#x, seed %d", at, SEED).isEqualTo(expected);
      }
      case 2 -> {
        random.nextBytes(expected);
        process.write(va + at, MemorySegment.ofArray(expected), 0, length);
        System.arraycopy(expected, 0, oracle, at, length);
      }
      default -> {
        byte[] seen = new byte[length];
        process.read(va + at, MemorySegment.ofArray(seen), 0, length);
        assertThat(seen).as("process at %#x, seed %d", at, SEED).isEqualTo(expected);
      }
    }
  }

  private void faultDevice(int at, int length, FaultMode mode) {
    deviceFaults.incrementAndGet();
    umem.fault(va + at, length, mode);
  }

  private void change(Random random) {
    guarded(() -> {
      int first = random.nextInt(PAGES);
      int count = 1 + random.nextInt(Math.min(32, PAGES - first));
      long from = va + (long) first * PAGE;
      long length = (long) count * PAGE;
      int kind = random.nextInt(200);
      if (kind < 80) {
        process.migrate(from, length);
      } else if (kind < 150) {
        process.swapOut(from, length);
      } else if (kind < 180) {
        umem.fault(from, length, random.nextBoolean() ? FaultMode.READ : FaultMode.SNAPSHOT);
      } else if (kind < 190) {
        try (ProcessMemory child = process.fork()) {
          child.write(from, MemorySegment.ofArray(new byte[count]), 0, count);
        }
      } else {
        standStill(random, first, count);
      }
    });
  }

  private void standStill(Random random, int first, int count) {
    world.writeLock().lock();
    try {
      long from = va + (long) first * PAGE;
      switch (random.nextInt(8)) {
        case 0 -> {
          try (ProcessMemory child = process.fork()) {
            checkAll(child);
          }
        }
        case 1 -> {
          process.unmap(from, (long) count * PAGE);
          process.mapAt(from, (long) count * PAGE, true);
          Arrays.fill(oracle, first * PAGE, (first + count) * PAGE, (byte) 0);
        }
        default -> {
          process.discard(from, (long) count * PAGE);
          Arrays.fill(oracle, first * PAGE, (first + count) * PAGE, (byte) 0);
        }
      }
    } finally {
      world.writeLock().unlock();
    }
  }

  private void checkAll(ProcessMemory who) {
    byte[] seen = new byte[PAGES * PAGE];
    who.read(va, MemorySegment.ofArray(seen), 0, seen.length);
    assertThat(Arrays.mismatch(seen, oracle)).as("first byte of %s that differs, seed %d", who.name(), SEED).isEqualTo(-1);
  }
}
