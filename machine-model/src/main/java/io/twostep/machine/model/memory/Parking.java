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

  /** Run all flushes, then hand every block that was parked before to {@code memory}; returns whether any frame became free. */
  boolean flush(ModelMemory memory) {
    flushing.lock();
    try {
      List<Block> covered = memory.takeParked();
      if (covered.isEmpty()) {
        return false;
      }
      for (Registration registration : flushes) {
        registration.flush.run();
      }
      memory.reuse(covered);
      return true;
    } finally {
      flushing.unlock();
    }
  }

  /** Take all parked blocks; the caller holds the memory's lock. Their frames stay counted until {@link #leave}. */
  List<Block> take() {
    List<Block> taken = parked;
    parked = new ArrayList<>();
    return taken;
  }

  /** Stop counting the frames of a block; the caller holds the memory's lock. */
  void leave(Block block) {
    frames -= block.frames();
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
