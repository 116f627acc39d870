package io.twostep.device.rdma.wire;

/**
 * Place the segments of a send entry, in units of 16 bytes; a receive entry has data segments only. Send entries of one queue pair all have the same room, see {@link
 * QueuePairLayout#LOG_SEND_BLOCKS}.
 *
 * <pre>
 *  0 | opcode, index      |   control
 *  4 | queue pair, units  |
 *  8 |         | flags    |
 * 12 | immediate data or key to invalidate |
 * 16 | remote address, 8  |   for WRITE, READ and atomics
 * 24 | remote key         |
 * 32 | swap or add, 8     |   for atomics
 * 40 | compare, 8         |
 *    | length, key, address |  data segments: the rest
 * </pre>
 */
public final class WqeLayout {
  /** Bytes of a unit and of each segment. */
  public static final int UNIT = 16;

  /** Operation: {@link #INDEX} and {@link #OPCODE}. */
  public static final Be32 OPERATION = new Be32(0);

  /** In OPERATION: number of the entry, modulo 2^16. */
  public static final Bits INDEX = new Bits(23, 8);

  /** In OPERATION: one of the {@code OP_} values. */
  public static final Bits OPCODE = new Bits(7, 0);

  /** Size: {@link #QUEUE_PAIR} and {@link #UNITS}. */
  public static final Be32 QUEUE_AND_UNITS = new Be32(4);

  /** In QUEUE_AND_UNITS: the queue pair. */
  public static final Bits QUEUE_PAIR = new Bits(31, 8);

  /** In QUEUE_AND_UNITS: length of the entry in units. */
  public static final Bits UNITS = new Bits(5, 0);

  /** The most units of an entry. */
  public static final int MAX_UNITS = 63;

  /** Flags: {@link #FENCE}, {@link #COMPLETION}. */
  public static final U8 FLAGS = new U8(11);

  /** In FLAGS: wait for READs and atomics posted before. */
  public static final Bits FENCE = Bits.bit(7);

  /** In FLAGS: when to post a completion: {@link #COMPLETION_ALWAYS}, or 0 for only if it failed. */
  public static final Bits COMPLETION = new Bits(3, 2);

  /** In COMPLETION: however it ended. */
  public static final int COMPLETION_ALWAYS = 2;

  /** Immediate data or a key to invalidate. */
  public static final Be32 EXTRA = new Be32(12);

  /** Of the remote address segment: the address. */
  public static final Be64 REMOTE_ADDRESS = new Be64(0);

  /** Of the remote address segment: the key. */
  public static final Be32 REMOTE_KEY = new Be32(8);

  /** Of the atomic segment: operand. */
  public static final Be64 SWAP_OR_ADD = new Be64(0);

  /** Of the atomic segment: value to compare with. */
  public static final Be64 COMPARE = new Be64(8);

  /** Of a data segment: bytes; 0 means 2^31. */
  public static final Be32 DATA_LENGTH = new Be32(0);

  /** Of a data segment: the key; {@link #END_OF_LIST} ends a receive's list. */
  public static final Be32 DATA_KEY = new Be32(4);

  /** Of a data segment: the address. */
  public static final Be64 DATA_ADDRESS = new Be64(8);

  /** The key that ends a list. */
  public static final int END_OF_LIST = 0x100;

  /** Nothing. */
  public static final int OP_NOP = 0x00;

  /** SEND with invalidation. */
  public static final int OP_SEND_INVALIDATE = 0x01;

  /** WRITE. */
  public static final int OP_WRITE = 0x08;

  /** WRITE with immediate data. */
  public static final int OP_WRITE_IMMEDIATE = 0x09;

  /** SEND. */
  public static final int OP_SEND = 0x0a;

  /** SEND with immediate data. */
  public static final int OP_SEND_IMMEDIATE = 0x0b;

  /** READ. */
  public static final int OP_READ = 0x10;

  /** Compare and swap. */
  public static final int OP_COMPARE_SWAP = 0x11;

  /** Fetch and add. */
  public static final int OP_FETCH_ADD = 0x12;

  /** Change a memory key: see {@link KeyUpdateLayout}. */
  public static final int OP_KEY_UPDATE = 0x25;

  private WqeLayout() {}
}
