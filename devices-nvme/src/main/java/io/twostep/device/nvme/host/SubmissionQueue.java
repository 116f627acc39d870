package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.MemorySegment;

/**
 * The host's end of a submission queue: a ring of commands, published in batches. One thread at a time.
 *
 * <p>Entries are written in place at {@link #slot} and made part of the queue by {@link #advance}. The doorbell is lazy: it is rung by {@link
 * #ring}, and by {@code advance} only where one more entry would make the tail meet the last value rung, which would look like an empty
 * queue. Never more than depth - 1 commands may be outstanding; the caller's tags see to that, so the controller's head is not needed.
 */
public final class SubmissionQueue {
  private final MemorySegment entries;
  private final int depth;
  private final Doorbell doorbell;
  private int tail;
  private int rung;

  /** Create an empty queue over {@code depth} entries of coherent memory. */
  public SubmissionQueue(MemorySegment entries, int depth, Doorbell doorbell) {
    this.entries = entries;
    this.depth = depth;
    this.doorbell = doorbell;
  }

  /** Return the memory of the queue. */
  public MemorySegment entries() {
    return entries;
  }

  /** Return the byte offset of the entry to write next. */
  public long slot() {
    return (long) tail * SqeLayout.SIZE;
  }

  /** Append the entry at {@link #slot}. */
  public void advance() {
    tail = next(tail);
    if (next(tail) == rung) {
      ring();
    }
  }

  /** Tell the controller of every entry it does not know yet. */
  public void ring() {
    if (tail != rung) {
      int before = rung;
      rung = tail;
      doorbell.ring(before, tail);
    }
  }

  /** Return the doorbell. */
  public Doorbell doorbell() {
    return doorbell;
  }

  /** Start again, empty, as after the queue's creation. */
  public void reset() {
    tail = 0;
    rung = 0;
    entries.fill((byte) 0);
  }

  private int next(int index) {
    return index + 1 == depth ? 0 : index + 1;
  }
}
