package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * Memory that is no longer the device's; command and reply of DMA_UNMAP.
 *
 * <pre>
 *   0 u32 argsz   4 u32 flags   8 u64 I/O address   16 u64 size
 * </pre>
 *
 * @param flags 0, or {@link #ALL} with address and size 0
 * @param iova first I/O address of one map
 * @param size its bytes
 */
public record DmaUnmap(int flags, long iova, long size) {
  /** Bytes of the structure. */
  public static final int SIZE = 24;

  /** Everything that is mapped. */
  public static final int ALL = 2;

  /**
   * Read the structure.
   *
   * @throws ProtocolException if it is too short, has unknown flags, or names a range and everything at once
   */
  public static DmaUnmap read(MemorySegment payload) {
    requireSizes(payload, payload.byteSize());
    DmaUnmap unmap = new DmaUnmap(Bytes.u32(payload, 4), Bytes.u64(payload, 8), Bytes.u64(payload, 16));
    if ((unmap.flags & ~ALL) != 0) {
      throw new ProtocolException("DMA_UNMAP with flags 0x%x: only 2, everything, is known".formatted(unmap.flags));
    }
    if (unmap.isAll() && (unmap.iova != 0 || unmap.size != 0)) {
      throw new ProtocolException("DMA_UNMAP of everything names 0x%x+0x%x too".formatted(unmap.iova, unmap.size));
    }
    return unmap;
  }

  /** Tell whether everything is meant. */
  public boolean isAll() {
    return (flags & ALL) != 0;
  }

  /**
   * Return the bytes that a reply confirms.
   *
   * @param came bytes of the reply
   * @param iova first I/O address that was asked for
   * @param size bytes that were asked for
   * @throws ProtocolException if it is about something else, or about more
   */
  public static long confirmed(MemorySegment reply, int came, long iova, long size) {
    requireSizes(reply, came);
    long confirmed = Bytes.u64(reply, 16);
    if (Bytes.u64(reply, 8) != iova || Long.compareUnsigned(confirmed, size) > 0) {
      throw new ProtocolException("was asked to unmap 0x%x+0x%x and confirmed 0x%x+0x%x".formatted(iova, size, Bytes.u64(reply, 8), confirmed));
    }
    return confirmed;
  }

  private static void requireSizes(MemorySegment payload, long came) {
    Payload.requireArgumentSize("DMA_UNMAP", payload, came, SIZE);
  }

  /** Write the structure. */
  public static void write(MemorySegment to, int flags, long iova, long size) {
    Bytes.u32(to, 0, SIZE);
    Bytes.u32(to, 4, flags);
    Bytes.u64(to, 8, iova);
    Bytes.u64(to, 16, size);
  }
}
