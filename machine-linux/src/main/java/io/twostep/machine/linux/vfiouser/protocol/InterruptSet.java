package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * What to do with some vectors; the command of DEVICE_SET_IRQS, whose reply is empty.
 *
 * <pre>
 *   0 u32 argsz   4 u32 flags   8 u32 index   12 u32 start   16 u32 count   20 one byte per vector, with {@link #BOOL} only
 * </pre>
 *
 * @param flags one of {@link #NONE}, {@link #BOOL}, {@link #EVENTFD} and one of {@link #MASK}, {@link #UNMASK}, {@link #TRIGGER}
 * @param index the kind of interrupts
 * @param start first vector
 * @param count how many vectors
 */
public record InterruptSet(int flags, int index, int start, int count) {
  /** Bytes of the structure without its data. */
  public static final int SIZE = 20;

  /** There are no data: the action is for every vector of the range. */
  public static final int NONE = 1;

  /** A byte for each vector says whether it is meant. */
  public static final int BOOL = 2;

  /** An eventfd for each vector comes along; none at all takes them away. */
  public static final int EVENTFD = 4;

  /** Keep the vectors quiet. */
  public static final int MASK = 8;

  /** Let the vectors signal again. */
  public static final int UNMASK = 0x10;

  /** Signal now; or, with eventfds, from now on by these. */
  public static final int TRIGGER = 0x20;

  private static final int DATA = NONE | BOOL | EVENTFD;
  private static final int ACTION = MASK | UNMASK | TRIGGER;

  /**
   * Read the structure.
   *
   * @throws ProtocolException if it is too short for what it says, or if its flags are not one kind of data and one action
   */
  public static InterruptSet read(MemorySegment payload) {
    Payload.requireArgumentSize("DEVICE_SET_IRQS", payload, SIZE);
    InterruptSet set =
        new InterruptSet(Bytes.u32(payload, 4), Bytes.u32(payload, 8), Bytes.u32(payload, 12), Bytes.u32(payload, 16));
    if ((set.flags & ~(DATA | ACTION)) != 0 || Integer.bitCount(set.flags & DATA) != 1 || Integer.bitCount(set.flags & ACTION) != 1) {
      throw new ProtocolException("DEVICE_SET_IRQS with flags 0x%x: one kind of data and one action".formatted(set.flags));
    }
    if (set.has(BOOL)) {
      Payload.requireSize("DEVICE_SET_IRQS", payload, SIZE + Integer.toUnsignedLong(set.count));
    }
    return set;
  }

  /** Tell whether a flag is set. */
  public boolean has(int flag) {
    return (flags & flag) != 0;
  }

  /** Tell whether vectors of the range lie outside the {@code vectors} that there are. */
  public boolean isOutside(int vectors) {
    return start < 0 || count < 0 || start > vectors - count;
  }

  /** Write the structure. */
  public void write(MemorySegment to) {
    Bytes.u32(to, 0, SIZE);
    Bytes.u32(to, 4, flags);
    Bytes.u32(to, 8, index);
    Bytes.u32(to, 12, start);
    Bytes.u32(to, 16, count);
  }
}
