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
 * @param id the message's id, 16 bits
 * @param command a number of {@link Command}
 * @param size bytes of the message, header included
 * @param flags type and flags
 * @param errno error number
 */
public record Header(int id, int command, int size, int flags, int errno) {
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

  /**
   * Read a header.
   *
   * @throws ProtocolException if size, type or flags are none: whatever follows cannot be understood then
   */
  public static Header read(MemorySegment at, int largest) {
    Header header = new Header(Bytes.u16(at, 0), Bytes.u16(at, 2), Bytes.u32(at, 4), Bytes.u32(at, 8), Bytes.u32(at, 12));
    if (header.size < SIZE || header.size > largest) {
      throw new ProtocolException(
          "%s of %s bytes: a message has %d to %d bytes".formatted(header, Integer.toUnsignedString(header.size), SIZE, largest));
    }
    if ((header.flags & TYPE_MASK) > REPLY || (header.flags & ~KNOWN_FLAGS) != 0 || (!header.isReply() && (header.flags & ERROR) != 0)) {
      throw new ProtocolException("%s: flags 0x%x are no message type of the protocol".formatted(header, header.flags));
    }
    return header;
  }

  /** Write the header. */
  public void write(MemorySegment to) {
    Bytes.u16(to, 0, id);
    Bytes.u16(to, 2, command);
    Bytes.u32(to, 4, size);
    Bytes.u32(to, 8, flags);
    Bytes.u32(to, 12, errno);
  }

  /** Tell whether the message is a reply. */
  public boolean isReply() {
    return (flags & TYPE_MASK) == REPLY;
  }

  /** Tell whether the message is a reply that says that its command failed. */
  public boolean isError() {
    return (flags & ERROR) != 0;
  }

  /** Tell whether the message is a command whose sender waits for a reply. */
  public boolean wantsReply() {
    return !isReply() && (flags & NO_REPLY) == 0;
  }

  /** Return the error that a reply tells, for messages. */
  public String errorText() {
    return errno == 0 ? "an error without a number" : Errno.text(errno);
  }

  @Override
  public String toString() {
    return (isReply() ? "reply to " : "") + Command.name(command) + " (id " + id + ")";
  }
}
