package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * Memory for the device; the command of DMA_MAP, whose reply is empty.
 *
 * <pre>
 *   0 u32 argsz   4 u32 flags   8 u64 offset in the descriptor   16 u64 I/O address   24 u64 size
 * </pre>
 *
 * @param flags {@link #READ}, {@link #WRITE}: what the device may
 * @param offset first byte in the descriptor
 * @param iova first I/O address
 * @param size bytes
 */
public record DmaMap(int flags, long offset, long iova, long size) {
  /** Bytes of the structure. */
  public static final int SIZE = 32;

  /** The device may read. */
  public static final int READ = 1;

  /** The device may write. */
  public static final int WRITE = 2;

  /**
   * Read the structure.
   *
   * @throws ProtocolException if it is too short, has unknown flags, is empty or wraps around
   */
  public static DmaMap read(MemorySegment payload) {
    Payload.requireArgumentSize("DMA_MAP", payload, SIZE);
    DmaMap map = new DmaMap(Bytes.u32(payload, 4), Bytes.u64(payload, 8), Bytes.u64(payload, 16), Bytes.u64(payload, 24));
    if ((map.flags & ~(READ | WRITE)) != 0) {
      throw new ProtocolException("%s: flags 0x%x are none of read 1 and write 2".formatted(map, map.flags));
    }
    if (map.size <= 0 || map.offset < 0 || map.offset + map.size < 0 || Long.compareUnsigned(map.iova + (map.size - 1), map.iova) < 0) {
      throw new ProtocolException(map + ": a map has at least one byte and does not wrap around");
    }
    return map;
  }

  /** Write the structure. */
  public static void write(MemorySegment to, int flags, long offset, long iova, long size) {
    Bytes.u32(to, 0, SIZE);
    Bytes.u32(to, 4, flags);
    Bytes.u64(to, 8, offset);
    Bytes.u64(to, 16, iova);
    Bytes.u64(to, 24, size);
  }

  @Override
  public String toString() {
    return "DMA_MAP of 0x%x+0x%x from offset 0x%x".formatted(iova, size, offset);
  }
}
