package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.CqeLayout;
import java.lang.foreign.MemorySegment;

/**
 * The host's end of a completion queue. One thread at a time.
 *
 * <p>An entry is new iff its phase bit is that of the current round; the word with the phase is read with acquire order, so that the rest of the entry is
 * at least as new. The doorbell is rung once for a whole round of polling.
 */
public final class CompletionQueue {
  private final MemorySegment entries;
  private final int depth;
  private final Doorbell doorbell;
  private int head;
  private int rung;
  private int phase = 1;

  /** Create an empty queue over {@code depth} zeroed entries of coherent memory. */
  public CompletionQueue(MemorySegment entries, int depth, Doorbell doorbell) {
    this.entries = entries;
    this.depth = depth;
    this.doorbell = doorbell;
  }

  /** Return the memory of the queue. */
  public MemorySegment entries() {
    return entries;
  }

  /** Return the status and phase word of the entry at the head if the entry is new, else -1. */
  public int peek() {
    int word = CqeLayout.STATUS_PHASE.getAcquire(entries, slot());
    return (word & 1) == phase ? word : -1;
  }

  /** Return the byte offset of the entry at the head. */
  public long slot() {
    return (long) head * CqeLayout.SIZE;
  }

  /** Step over the entry at the head. */
  public void advance() {
    head++;
    if (head == depth) {
      head = 0;
      phase ^= 1;
    }
  }

  /** Give the entries stepped over back to the controller. */
  public void ring() {
    if (head != rung) {
      int before = rung;
      rung = head;
      doorbell.ring(before, head);
    }
  }

  /** Return the doorbell. */
  public Doorbell doorbell() {
    return doorbell;
  }

  /** Start again, empty, as after the queue's creation. */
  public void reset() {
    head = 0;
    rung = 0;
    phase = 1;
    entries.fill((byte) 0);
  }
}
