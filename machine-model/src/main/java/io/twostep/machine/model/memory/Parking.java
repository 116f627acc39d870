package io.twostep.machine.model.memory;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Hold the frames of closed blocks until the flushes that cover them have run.
 *
 * <p>Terminals that defer invalidation register a flush. While any is registered, frames of closed blocks wait here; before they are handed out again every
 * flush runs, outside the memory's lock. A flush must not need a lock that some thread holds while it allocates.
 */
final class Parking {
  private final CopyOnWriteArrayList<Registration> flushes = new CopyOnWriteArrayList<>();
  private final ReentrantLock flushing = new ReentrantLock();
  private List<Block> parked = new ArrayList<>();
  private long frames;
  private long returns;

  AutoCloseable register(Runnable flush) {
    Registration registration = new Registration(flush);
    flushes.add(registration);
    return registration;
  }

  /** Take a closed block if it has to wait; the caller holds the memory's lock. */
  boolean park(Block block) {
    if (flushes.isEmpty()) {
      return false;
    }
    parked.add(block);
    frames += block.frames();
    return true;
  }

  long frames() {
    return frames;
  }

  /**
   * Run all flushes, then hand every block that was parked before to {@code memory}; returns whether any frame became free since {@link #returns} was {@code before}.
   *
   * <p>Frames that another thread's flush returned, while this one waited for it, count: it took what was parked, and leaves nothing here. Where a flush fails its exception passes through, and everything
   * stays parked.
   */
  boolean flush(ModelMemory memory, long before) {
    flushing.lock();
    try {
      List<Block> covered = memory.takeParked();
      if (covered.isEmpty()) {
        return memory.parkedReturns() != before;
      }
      runFlushes(memory, covered);
      memory.reuse(covered);
      return true;
    } finally {
      flushing.unlock();
    }
  }

  private void runFlushes(ModelMemory memory, List<Block> covered) {
    boolean done = false;
    try {
      for (Registration registration : flushes) {
        registration.flush.run();
      }
      done = true;
    } finally {
      if (!done) {
        memory.parkAgain(covered);
      }
    }
  }

  /** Take all parked blocks; the caller holds the memory's lock. Their frames stay counted until {@link #leave}. */
  List<Block> take() {
    List<Block> taken = parked;
    parked = new ArrayList<>();
    return taken;
  }

  /** Park blocks again that were taken, and are counted still; the caller holds the memory's lock. */
  void putBack(List<Block> taken) {
    parked.addAll(taken);
  }

  /** Stop counting the frames of blocks that go back; the caller holds the memory's lock. */
  void leave(List<Block> blocks) {
    for (Block block : blocks) {
      frames -= block.frames();
    }
    returns++;
  }

  /** Return how often frames went back from here; the caller holds the memory's lock. */
  long returns() {
    return returns;
  }

  private final class Registration implements AutoCloseable {
    final Runnable flush;

    Registration(Runnable flush) {
      this.flush = flush;
    }

    @Override
    public void close() {
      flushes.remove(this);
    }
  }
}
