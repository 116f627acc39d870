package io.twostep.device.nvme.wire;

import java.lang.foreign.MemorySegment;

/**
 * Place the fields of an SGL descriptor (Base 4.1.2).
 *
 * <pre>
 *      15      14..12    11..8     7..0
 * | type, sub | reserved | length | address |
 * </pre>
 *
 * <p>A segment or last segment descriptor has the bytes of the next segment as its length, a multiple of {@link #SIZE}.
 */
public final class SglDescriptorLayout {
  /** Bytes of a descriptor. */
  public static final int SIZE = 16;

  /** Bus address of the data or of the next segment. */
  public static final U64 ADDRESS = new U64(0);

  /** Bytes of the data or of the next segment. */
  public static final U32 LENGTH = new U32(8);

  /** Three reserved bytes: zero. */
  public static final Bytes RESERVED = new Bytes(12, 3);

  /** Identifier: type and subtype. */
  public static final U8 IDENTIFIER = new U8(15);

  /** In IDENTIFIER: one of the {@code TYPE_} values. */
  public static final Bits TYPE = new Bits(7, 4);

  /** In IDENTIFIER: one of the {@code SUBTYPE_} values. */
  public static final Bits SUBTYPE = new Bits(3, 0);

  /** Data at an address. */
  public static final int TYPE_DATA_BLOCK = 0;

  /** Data of a read to be thrown away. */
  public static final int TYPE_BIT_BUCKET = 1;

  /** The next segment, which is not the last. */
  public static final int TYPE_SEGMENT = 2;

  /** The last segment: data descriptors only. */
  public static final int TYPE_LAST_SEGMENT = 3;

  /** Data with a remote key, for fabrics. */
  public static final int TYPE_KEYED_DATA_BLOCK = 4;

  /** Data that the transport carries, for fabrics. */
  public static final int TYPE_TRANSPORT_DATA_BLOCK = 5;

  /** The address is a bus address. */
  public static final int SUBTYPE_ADDRESS = 0;

  /** The address is an offset in the capsule. */
  public static final int SUBTYPE_OFFSET = 1;

  /** Largest length that a descriptor can hold. */
  public static final long MAX_LENGTH = 0xffff_ffffL;

  /** Reserved bytes and identifier as one word: reserved[23:0], subtype[27:24], type[31:28]. */
  public static final U32 RESERVED_AND_IDENTIFIER = new U32(12);

  private SglDescriptorLayout() {}

  /** Store a whole descriptor at {@code base}, reserved bytes included; the length must fit 32 bits. */
  public static void set(MemorySegment segment, long base, long dmaAddress, long length, int type) {
    ADDRESS.set(segment, base, dmaAddress);
    LENGTH.set(segment, base, (int) length);
    RESERVED_AND_IDENTIFIER.set(segment, base, type << 28);
  }
}
