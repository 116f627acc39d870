package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * A server's access to memory that it has no descriptor of, read and written in place: command and reply of DMA_READ and DMA_WRITE; the data follow in the write and in the reply to
 * the read.
 *
 * <pre>
 *   0 u64 I/O address   8 u64 count   16 data
 * </pre>
 */
public final class DmaAccess {
  /** Bytes before the data. */
  public static final int SIZE = 16;

  private DmaAccess() {}

  /** Write the part before the data: {@code count} bytes at an I/O address. */
  public static void write(MemorySegment to, long iova, long count) {
    Bytes.u64(to, 0, iova);
    Bytes.u64(to, 8, count);
  }

  /** Return the first I/O address. */
  public static long iova(MemorySegment payload) {
    return Bytes.u64(payload, 0);
  }

  /** Return the bytes to access. */
  public static long count(MemorySegment payload) {
    return Bytes.u64(payload, 8);
  }

  /**
   * Check an access that carries no data: the command to read, the reply to a write.
   *
   * @param length bytes that came
   * @throws ProtocolException if it is too short
   */
  public static void require(int length) {
    Payload.requireSize("DMA access", length, SIZE);
  }

  /**
   * Check an access that carries its data: the command to write, the reply to a read.
   *
   * @param length bytes that came
   * @throws ProtocolException unless exactly as many bytes follow as it says
   */
  public static void requireData(MemorySegment payload, int length) {
    require(length);
    if (length - SIZE != count(payload)) {
      throw new ProtocolException("DMA access of %s bytes carries %d".formatted(Long.toUnsignedString(count(payload)), length - SIZE));
    }
  }

  /**
   * Check that a reply is about the access that was asked for.
   *
   * @throws ProtocolException if it is not
   */
  public static void requireEcho(MemorySegment payload, long iova, long count) {
    if (iova(payload) != iova || count(payload) != count) {
      throw new ProtocolException("was asked for 0x%x+0x%x and answered 0x%x+0x%x".formatted(iova, count, iova(payload), count(payload)));
    }
  }
}
