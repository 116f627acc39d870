package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * The first message of a connection and its reply.
 *
 * <pre>
 *   0 u16 major   2 u16 minor   4 text: JSON, UTF-8, ending in a zero byte; may be absent
 * </pre>
 *
 * @param major incompatible versions differ here
 * @param minor the highest that the sender knows; the reply has the one to use
 * @param capabilities what the sender takes
 */
public record Version(int major, int minor, Capabilities capabilities) {
  /** The major version of this package. */
  public static final int MAJOR = 0;

  /** The highest minor version of this package. */
  public static final int MINOR = 1;

  private static final int NUMBERS = 4;

  /**
   * Read the message.
   *
   * @throws ProtocolException if it is too short, or its text is not JSON that ends in a zero byte
   */
  public static Version read(MemorySegment payload) {
    Payload.requireSize("VERSION", payload, NUMBERS);
    long text = payload.byteSize() - NUMBERS;
    Capabilities capabilities = Capabilities.DEFAULT;
    if (text > 0) {
      if (payload.get(ValueLayout.JAVA_BYTE, payload.byteSize() - 1) != 0) {
        throw new ProtocolException("VERSION: its text does not end in a zero byte");
      }
      capabilities = Capabilities.parse(text(payload.asSlice(NUMBERS, text - 1)));
    }
    return new Version(Bytes.u16(payload, 0), Bytes.u16(payload, 2), capabilities);
  }

  private static String text(MemorySegment bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.toArray(ValueLayout.JAVA_BYTE))).toString();
    } catch (CharacterCodingException e) {
      throw new ProtocolException("VERSION: its text is not UTF-8");
    }
  }

  /** Write the message and return its bytes. */
  public int write(MemorySegment to) {
    byte[] text = capabilities.json().getBytes(StandardCharsets.UTF_8);
    Bytes.u16(to, 0, major);
    Bytes.u16(to, 2, minor);
    MemorySegment.copy(text, 0, to, ValueLayout.JAVA_BYTE, NUMBERS, text.length);
    to.set(ValueLayout.JAVA_BYTE, NUMBERS + text.length, (byte) 0);
    return NUMBERS + text.length + 1;
  }
}
