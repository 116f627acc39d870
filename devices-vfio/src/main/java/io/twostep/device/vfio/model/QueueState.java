package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.Registers;
import java.nio.ByteBuffer;

/** One queue pair as the device sees it. Counters run on modulo 2^32. */
final class QueueState {
  /** Bytes of it in an image. */
  static final int BYTES = 40;

  private static final int MOST_ENTRIES = 1 << 16;

  long submissions;
  long completions;
  int entries;
  int tail;
  int head;
  int fetched;
  int completed;

  long read(long register) {
    return switch ((int) register) {
      case (int) Registers.SUBMISSIONS -> submissions;
      case (int) Registers.COMPLETIONS -> completions;
      case (int) Registers.ENTRIES -> entries;
      case (int) Registers.TAIL -> Integer.toUnsignedLong(tail);
      case (int) Registers.HEAD -> Integer.toUnsignedLong(head);
      default -> 0;
    };
  }

  void write(long register, long value) {
    switch ((int) register) {
      case (int) Registers.SUBMISSIONS -> submissions = value;
      case (int) Registers.COMPLETIONS -> completions = value;
      case (int) Registers.ENTRIES -> turn(isLength(value) ? (int) value : 0);
      case (int) Registers.TAIL -> tail = (int) value;
      case (int) Registers.HEAD -> head = (int) value;
      default -> {}
    }
  }

  /** Turn it on or off; whoever turns it on counts from 0. */
  private void turn(int length) {
    if (entries == 0 || length == 0) {
      tail = 0;
      head = 0;
      fetched = 0;
      completed = 0;
    }
    entries = length;
  }

  private static boolean isLength(long value) {
    return value > 0 && value <= MOST_ENTRIES && Long.bitCount(value) == 1;
  }

  /** A tail further ahead than the queue is long is no submission. */
  boolean hasSubmission() {
    int waiting = tail - fetched;
    return entries != 0 && waiting > 0 && waiting <= entries;
  }

  boolean isOff() {
    return entries == 0;
  }

  boolean hasRoomForCompletion() {
    return entries != 0 && Integer.compareUnsigned(completed - head, entries) < 0;
  }

  int phase() {
    return (Integer.divideUnsigned(completed, entries) & 1) == 0 ? 1 : 0;
  }

  void save(ByteBuffer image) {
    image.putLong(submissions).putLong(completions).putInt(entries).putInt(tail).putInt(head).putInt(fetched).putInt(completed).putInt(0);
  }

  /** Take over the state of an image; throws {@link IllegalArgumentException} for a length that no queue has. */
  void load(ByteBuffer image) {
    submissions = image.getLong();
    completions = image.getLong();
    entries = image.getInt();
    tail = image.getInt();
    head = image.getInt();
    fetched = image.getInt();
    completed = image.getInt();
    image.getInt();
    if (entries != 0 && !isLength(entries)) {
      throw new IllegalArgumentException("a queue of " + entries + " entries is not of this device");
    }
  }

  void reset() {
    submissions = 0;
    completions = 0;
    entries = 0;
    tail = 0;
    head = 0;
    fetched = 0;
    completed = 0;
  }
}
