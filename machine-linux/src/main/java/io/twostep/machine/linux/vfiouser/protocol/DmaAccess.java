package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * A server's access to memory that it has no descriptor of: command and reply of DMA_READ and DMA_WRITE; the data follow in the write and in the reply to
 * the read.
 *
 * <pre>
 *   0 u64 I/O address   8 u64 count   16 data
 * </pre>
 *
 * @param iova first I/O address
 * @param count bytes
 */
public record DmaAccess(long iova, long count) {
  /** Bytes before the data. */
  public static final int SIZE = 16;

  /**
   * Read an access that carries no data: the command to read, the reply to a write.
   *
   * @throws ProtocolException if it is too short
   */
  public static DmaAccess read(MemorySegment payload) {
    Payload.requireSize("DMA access", payload, SIZE);
    return new DmaAccess(Bytes.u64(payload, 0), Bytes.u64(payload, 8));
  }

  /**
   * Read an access that carries its data: the command to write, the reply to a read.
   *
   * @throws ProtocolException unless exactly as many bytes follow as it says
   */
  public static DmaAccess readWithData(MemorySegment payload) {
    DmaAccess access = read(payload);
    if (payload.byteSize() - SIZE != access.count) {
      throw new ProtocolException(
          "DMA access of %s bytes carries %d".formatted(Long.toUnsignedString(access.count), payload.byteSize() - SIZE));
    }
    return access;
  }

  /** Write the part before the data. */
  public void write(MemorySegment to) {
    Bytes.u64(to, 0, iova);
    Bytes.u64(to, 8, count);
  }
}
