package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.Errno;
import java.lang.foreign.MemorySegment;

/**
 * What stands before every message (specification, "Header").
 *
 * <pre>
 *    0  u16 id       chosen by who commands, echoed by who replies
 *    2  u16 command
 *    4  u32 size     header included
 *    8  u32 flags    bits 0-3 type: 0 command, 1 reply; bit 4 no reply wanted; bit 5 error
 *   12  u32 errno    of a reply with the error bit
 * </pre>
 *
 * <p>Read in place: it changes with the bytes.
 */
public final class Header {
  /** Bytes of a header. */
  public static final int SIZE = 16;

  /** Flags of a command that wants a reply. */
  public static final int COMMAND = 0;

  /** Flags of a reply. */
  public static final int REPLY = 1;

  /** Flag of a command that wants no reply. */
  public static final int NO_REPLY = 0x10;

  /** Flag of a reply that says that the command failed. */
  public static final int ERROR = 0x20;

  private static final int TYPE_MASK = 0xf;
  private static final int KNOWN_FLAGS = TYPE_MASK | NO_REPLY | ERROR;

  private final MemorySegment at;

  /** See the header that {@code at} begins with. */
  public Header(MemorySegment at) {
    this.at = at;
  }

  /** Write a header; {@code size} counts it. */
  public static void write(MemorySegment to, int id, int command, int size, int flags, int errno) {
    Bytes.u16(to, 0, id);
    Bytes.u16(to, 2, command);
    Bytes.u32(to, 4, size);
    Bytes.u32(to, 8, flags);
    Bytes.u32(to, 12, errno);
  }

  /**
   * Check size, type and flags: whatever follows cannot be understood unless they are right.
   *
   * @throws ProtocolException if they are not
   */
  public void require(int largest) {
    if (size() < SIZE || size() > largest) {
      throw new ProtocolException("%s of %s bytes: a message has %d to %d bytes".formatted(this, Integer.toUnsignedString(size()), SIZE, largest));
    }
    if ((flags() & TYPE_MASK) > REPLY || (flags() & ~KNOWN_FLAGS) != 0 || (!isReply() && (flags() & ERROR) != 0)) {
      throw new ProtocolException("%s: flags 0x%x are no message type of the protocol".formatted(this, flags()));
    }
  }

  /** Return the message's id, 16 bits. */
  public int id() {
    return Bytes.u16(at, 0);
  }

  /** Return the number of the {@link Command}. */
  public int command() {
    return Bytes.u16(at, 2);
  }

  /** Return the bytes of the message, header included. */
  public int size() {
    return Bytes.u32(at, 4);
  }

  private int flags() {
    return Bytes.u32(at, 8);
  }

  /** Return the error number of a reply that says that its command failed. */
  public int errno() {
    return Bytes.u32(at, 12);
  }

  /** Tell whether the message is a reply. */
  public boolean isReply() {
    return (flags() & TYPE_MASK) == REPLY;
  }

  /** Tell whether the message is a reply that says that its command failed. */
  public boolean isError() {
    return (flags() & ERROR) != 0;
  }

  /** Tell whether the message is a command whose sender waits for a reply. */
  public boolean wantsReply() {
    return !isReply() && (flags() & NO_REPLY) == 0;
  }

  /** Return the error that a reply tells, for messages. */
  public String errorText() {
    return errno() == 0 ? "an error without a number" : Errno.text(errno());
  }

  @Override
  public String toString() {
    return (isReply() ? "reply to " : "") + Command.name(command()) + " (id " + id() + ")";
  }
}
