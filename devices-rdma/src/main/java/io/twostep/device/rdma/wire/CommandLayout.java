package io.twostep.device.rdma.wire;

/**
 * Place the fields of the command entry, and of the inputs behind it; opcodes as mlx5 has them.
 *
 * <pre>
 *   0 | type            |   the entry, 64 bytes; its last byte tells who owns it
 *   4 | input length    |
 *   8 | input address   |   one block of any length
 *  32 | status          |
 *  40 | result          |
 *  63 | ownership       |
 * </pre>
 */
public final class CommandLayout {
  /** Bytes of the entry. */
  public static final int ENTRY_SIZE = 64;

  /** The longest input. */
  public static final int MAX_INPUT = 1024;

  /** Bytes of the input. */
  public static final Be32 INPUT_LENGTH = new Be32(4);

  /** DMA address of the input. */
  public static final Be64 INPUT_ADDRESS = new Be64(8);

  /** How it ended: one of the {@code STATUS_} values. */
  public static final U8 STATUS = new U8(32);

  /** What it made, such as a number. */
  public static final Be32 RESULT = new Be32(40);

  /** {@link #DEVICE_OWNS} while the adapter has the entry, else 0. */
  public static final U8 OWNERSHIP = new U8(63);

  /** In OWNERSHIP: the adapter has the entry. */
  public static final int DEVICE_OWNS = 1;

  /** In STATUS: done. */
  public static final int STATUS_OK = 0;

  /** In STATUS: an unknown opcode. */
  public static final int STATUS_BAD_OPCODE = 2;

  /** In STATUS: a parameter is wrong. */
  public static final int STATUS_BAD_PARAMETER = 3;

  /** In STATUS: what is named does not exist, or is in use. */
  public static final int STATUS_BAD_RESOURCE = 5;

  /** Of every input: what to do, one of the {@code OP_} values. */
  public static final Be16 OPCODE = new Be16(0);

  /** Of inputs that name one thing: its number. */
  public static final Be32 NUMBER = new Be32(8);

  /** Make a memory key: see {@link MkeyLayout}. */
  public static final int OP_CREATE_MKEY = 0x200;

  /** Destroy a memory key. */
  public static final int OP_DESTROY_MKEY = 0x202;

  /** Go on after a page fault: {@link #FAULT_TOKEN}, {@link #FAULT_ERROR}. */
  public static final int OP_PAGE_FAULT_RESUME = 0x204;

  /** Make the event queue: {@link #BUFFER}, {@link #LOG_ENTRIES}. */
  public static final int OP_CREATE_EQ = 0x301;

  /** Make a completion queue: {@link #BUFFER}, {@link #LOG_ENTRIES}, {@link #DOORBELL_RECORD}. */
  public static final int OP_CREATE_CQ = 0x400;

  /** Destroy a completion queue. */
  public static final int OP_DESTROY_CQ = 0x401;

  /** Make a queue pair: see {@link QueuePairLayout}. */
  public static final int OP_CREATE_QP = 0x500;

  /** Destroy a queue pair. */
  public static final int OP_DESTROY_QP = 0x501;

  /** Connect a queue pair, so that it sends and receives: see {@link QueuePairLayout}. */
  public static final int OP_CONNECT_QP = 0x503;

  /** Make a queue pair fail and flush what is posted. */
  public static final int OP_FAIL_QP = 0x507;

  /** Nothing: when it is done, no access that began before is under way. */
  public static final int OP_NOP = 0x80d;

  /** Make a protection domain. */
  public static final int OP_ALLOC_PD = 0x800;

  /** Destroy a protection domain. */
  public static final int OP_DEALLOC_PD = 0x801;

  /** DMA address of a queue's entries. */
  public static final Be64 BUFFER = new Be64(16);

  /** Entries of a queue, as a power of two. */
  public static final Be32 LOG_ENTRIES = new Be32(24);

  /** DMA address of a queue's doorbell record. */
  public static final Be64 DOORBELL_RECORD = new Be64(32);

  /** Of a resume: the token of the fault. */
  public static final Be32 FAULT_TOKEN = new Be32(8);

  /** Of a resume: not 0 if the page cannot be had. */
  public static final Be32 FAULT_ERROR = new Be32(12);

  private CommandLayout() {}
}
