package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * The host's end of a submission queue: a ring of commands, published in batches. One thread at a time.
 *
 * <p>Entries are written in place at {@link #slot} and made part of the queue by {@link #advance}. The doorbell is lazy: it is rung by {@link
 * #ring}, and by {@code advance} only where one more entry would make the tail meet the last value rung, which would look like an empty
 * queue. Never more than depth - 1 commands may be outstanding; the caller's tags see to that, so the controller's head is not needed.
 *
 * <p>A queue in the controller's own memory is written whole entry by whole entry and never read: each store crosses the bus. Its entries are composed in host
 * memory, and a full fence stands between their copies and the doorbell, which drains stores that the processor combines.
 */
public final class SubmissionQueue {
  private final MemorySegment entries;
  private final MemorySegment remote;
  private final boolean staged;
  private final int depth;
  private final Doorbell doorbell;
  private int tail;
  private int rung;

  /** Create an empty queue over {@code depth} entries of coherent memory. */
  public SubmissionQueue(MemorySegment entries, int depth, Doorbell doorbell) {
    this(entries, MemorySegment.NULL, depth, doorbell);
  }

  /** Create an empty queue over {@code depth} entries of the controller's own memory, as the CPU sees it. */
  public static SubmissionQueue inController(MemorySegment remote, int depth, Doorbell doorbell) {
    return new SubmissionQueue(Arena.ofAuto().allocate(SqeLayout.SIZE, SqeLayout.SIZE), remote, depth, doorbell);
  }

  private SubmissionQueue(MemorySegment entries, MemorySegment remote, int depth, Doorbell doorbell) {
    this.entries = entries;
    this.remote = remote;
    staged = remote.byteSize() != 0;
    this.depth = depth;
    this.doorbell = doorbell;
  }

  /** Return the memory that {@link #slot} points into. */
  public MemorySegment entries() {
    return entries;
  }

  /** Return the byte offset of the entry to write next. */
  public long slot() {
    return staged ? 0 : (long) tail * SqeLayout.SIZE;
  }

  /** Append the entry at {@link #slot}. */
  public void advance() {
    if (staged) {
      MemorySegment.copy(entries, 0, remote, (long) tail * SqeLayout.SIZE, SqeLayout.SIZE);
    }
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
      if (staged) {
        VarHandle.fullFence();
      }
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
    remote.fill((byte) 0);
  }

  private int next(int index) {
    return index + 1 == depth ? 0 : index + 1;
  }
}
