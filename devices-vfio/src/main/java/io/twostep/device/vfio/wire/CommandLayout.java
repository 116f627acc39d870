package io.twostep.device.vfio.wire;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Places the fields of queue entries, little-endian.
 *
 * <pre>
 * submission  0         4     8          16         24       32
 *             +---------+-----+----------+----------+--------+-------+----
 *             | opcode  | id  | source   | target   | length | seed  | 0...
 *             +---------+-----+----------+----------+--------+-------+---- 64
 * completion  0     4         8          12
 *             +-----+---------+----------+--------+
 *             | id  | status  | checksum | phase  |
 *             +-----+---------+----------+--------+ 16
 * </pre>
 */
public final class CommandLayout {
  /** Bytes of a submission entry. */
  public static final int SUBMISSION = 64;

  /** Bytes of a completion entry. */
  public static final int COMPLETION = 16;

  /** u32: what to do. */
  public static final int OPCODE = 0;

  /** u32: the guest's number of the command, repeated in its completion. */
  public static final int ID = 4;

  /** u64: guest address that is read. */
  public static final int SOURCE = 8;

  /** u64: guest address that is written; of POST, relative to {@link Registers#PEER_BASE}. */
  public static final int TARGET = 16;

  /** u64: bytes, a multiple of 8. */
  public static final int LENGTH = 24;

  /** u64: what FILL makes its bytes of, and what POST writes. */
  public static final int SEED = 32;

  /** Completion, u32: {@link #SUCCESS} or why not. */
  public static final int STATUS = 4;

  /** Completion, u32: sum of the bytes moved. */
  public static final int CHECKSUM = 8;

  /** Completion, u32: 1 on the first way round the queue, 0 on the second, and so on. Written last. */
  public static final int PHASE = 12;

  /** Opcode: write {@link FillPattern} of the seed. */
  public static final int FILL = 1;

  /** Opcode: copy. */
  public static final int COPY = 2;

  /** Opcode: write the seed to a peer. */
  public static final int POST = 3;

  /** Status: done. */
  public static final int SUCCESS = 0;

  /** Status: an opcode, length or address that cannot be. */
  public static final int BAD_ENTRY = 1;

  /** Status: the bus refused an access. */
  public static final int BUS_ERROR = 2;

  /** A 32-bit field. */
  public static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** A 64-bit field. */
  public static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private CommandLayout() {}
}
