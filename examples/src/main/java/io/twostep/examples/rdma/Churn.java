package io.twostep.examples.rdma;

import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.ProcessMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A thread that changes pages under those who use them: migrates, swaps out, forks, and unmaps and maps anew what nobody uses at the moment.
 *
 * <p>Random by seed; what it meets depends on what the others do meanwhile.
 */
final class Churn implements AutoCloseable {
  private static final int MOST_PAGES = 32;
  private static final int CHOICES = 200;

  /** Changes for each chunk that was moved, at the least: as many as leave every page alone about as long as a chunk takes. */
  private static final int FEWEST_CHANGES = 64;

  /** Page events that a change comes to, about, and chunks to have moved when there were as many events as asked for. */
  private static final long EVENTS_PER_CHANGE = 12;

  private static final long CHUNKS = 2_000;

  private final List<Side> sides;
  private final SplittableRandom random;
  private final int changesPerChunk;
  private final AtomicLong unmapped = new AtomicLong();
  private final Semaphore allowed = new Semaphore(0);
  private final Thread thread;
  private volatile boolean stopped;
  private volatile @Nullable RuntimeException failure;

  /**
   * Make a thread that does not run yet.
   *
   * @param events page events that are wanted
   */
  Churn(List<Side> sides, long events, long seed) {
    this.sides = sides;
    changesPerChunk = (int) Math.max(FEWEST_CHANGES, events / CHUNKS / EVENTS_PER_CHANGE);
    random = new SplittableRandom(seed);
    thread = Thread.ofPlatform().name("churn").daemon().unstarted(this::run);
  }

  void start() {
    thread.start();
    advance();
  }

  /** Let the thread go on because a chunk was moved: more than so many changes and nothing would ever arrive. */
  void advance() {
    allowed.release(changesPerChunk);
  }

  /** Return how many pages were unmapped so far. */
  long unmapped() {
    return unmapped.get();
  }

  /** Throw what made the thread end, if anything did. */
  void check() {
    RuntimeException seen = failure;
    if (seen != null) {
      throw new IllegalStateException("changing pages failed: " + seen, seen);
    }
  }

  private void run() {
    try {
      while (!stopped) {
        allowed.acquireUninterruptibly();
        change(sides.get(random.nextInt(sides.size())));
      }
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  private void change(Side side) {
    ProcessMemory process = side.host.process;
    long page = process.pageSize();
    long length = page * (1 + random.nextInt(MOST_PAGES));
    long from = side.start + random.nextLong((side.length() - length) / page + 1) * page;
    int choice = random.nextInt(CHOICES);
    if (choice < 100) {
      process.migrate(from, length);
    } else if (choice < 160) {
      process.swapOut(from, length);
    } else if (choice < 161) {
      fork(process, from);
    } else {
      remap(side);
    }
  }

  /** Have a child share all pages, and write to one, while the parent goes on. */
  private void fork(ProcessMemory process, long va) {
    try (ProcessMemory child = process.fork()) {
      byte[] word = new byte[Long.BYTES];
      random.nextBytes(word);
      child.write(va, MemorySegment.ofArray(word), 0, word.length);
    } catch (PageFaultException e) {
      if (e.kind() != PageFaultException.Kind.NO_FRAMES) {
        throw e;
      }
      // Pinned pages are copied at once, and there may be no room for all of them.
    }
  }

  private void remap(Side side) {
    int slot = random.nextInt(side.slots.count());
    if (!side.slots.tryChange(slot)) {
      return;
    }
    try {
      side.host.process.unmap(side.address(slot), Slots.BYTES);
      side.host.process.mapAt(side.address(slot), Slots.BYTES, true);
      unmapped.addAndGet(Slots.BYTES / side.host.process.pageSize());
    } finally {
      side.slots.free(slot);
    }
  }

  /** Stop and wait for the thread. */
  @Override
  public void close() {
    stopped = true;
    allowed.release();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
