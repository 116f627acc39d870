package io.twostep.device.nvme.wire;

/**
 * Place the descriptors of the host memory buffer and names the bits of its feature (Base 5.27.1.10).
 *
 * <pre>
 *     15..12   11..8      7..0
 * | reserved | pages | page address |
 * </pre>
 */
public final class HostMemoryBufferLayout {
  /** Bytes of a descriptor. */
  public static final int SIZE = 16;

  /** Bus address, aligned to the controller's page. */
  public static final U64 ADDRESS = new U64(0);

  /** Length in pages of CC.MPS. */
  public static final U32 LENGTH_PAGES = new U32(8);

  /** Reserved: zero. */
  public static final U32 RESERVED = new U32(12);

  /** In CDW11: enable. */
  public static final Bits ENABLE = Bits.bit(0);

  /** In CDW11: the memory is the one handed over before, contents unchanged. */
  public static final Bits MEMORY_RETURN = Bits.bit(1);

  private HostMemoryBufferLayout() {}
}
