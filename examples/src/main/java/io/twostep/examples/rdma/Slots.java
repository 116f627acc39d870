package io.twostep.examples.rdma;

import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Who has which part of a process's memory: nobody, those who move data, or those who unmap it. Thread-safe.
 *
 * <p>Pages of a part that data moves through may be migrated, swapped out and shared at any time; unmapping it would take the data away.
 */
final class Slots {
  /** Bytes of a part. */
  static final int BYTES = 256 << 10;

  private static final int IDLE = 0;
  private static final int MOVING = 1;
  private static final int CHANGING = 2;

  private final AtomicIntegerArray states;

  Slots(int count) {
    states = new AtomicIntegerArray(count);
  }

  int count() {
    return states.length();
  }

  /** Take a part for moving data; false while somebody unmaps it. */
  boolean tryMove(int slot) {
    return states.compareAndSet(slot, IDLE, MOVING);
  }

  /** Take a part for unmapping it; false while somebody has it. */
  boolean tryChange(int slot) {
    return states.compareAndSet(slot, IDLE, CHANGING);
  }

  /** Let go of a part. */
  void free(int slot) {
    states.set(slot, IDLE);
  }
}
