package io.twostep.device.rdma.wire;

/**
 * Place the fields of the base transport header, which every packet begins with (IBA 9.2).
 *
 * <pre>
 *       0          1           2        3
 *  0 | opcode | SE M pad ver |  partition key  |
 *  4 | F B reserved |  destination queue pair  |
 *  8 | A  reserved  |  packet sequence number  |     A: the requester wants an acknowledgement
 * </pre>
 */
public final class BthLayout {
  /** Bytes of the header. */
  public static final int SIZE = 12;

  /** What the packet is: {@link RcOpcode}. */
  public static final U8 OPCODE = new U8(0);

  /** Flags: {@link #SOLICITED}, {@link #PAD} and {@link #VERSION}. */
  public static final U8 FLAGS = new U8(1);

  /** In FLAGS: the requester asks for an event at the other side. */
  public static final Bits SOLICITED = Bits.bit(7);

  /** In FLAGS: bytes behind the payload that fill the last word, 0 to 3. */
  public static final Bits PAD = new Bits(5, 4);

  /** In FLAGS: version of the transport, 0. */
  public static final Bits VERSION = new Bits(3, 0);

  /** Partition key. */
  public static final Be16 PARTITION_KEY = new Be16(2);

  /** Reserved byte that the network may change; the invariant CRC takes it as ones. */
  public static final U8 VARIANT = new U8(4);

  /** Destination: {@link #QUEUE_PAIR}. */
  public static final Be32 DESTINATION = new Be32(4);

  /** In DESTINATION: number of the queue pair that shall receive the packet. */
  public static final Bits QUEUE_PAIR = new Bits(23, 0);

  /** Sequence: {@link #ACK_REQUEST} and {@link #PSN}. */
  public static final Be32 SEQUENCE = new Be32(8);

  /** In SEQUENCE: the requester wants an acknowledgement soon. */
  public static final Bits ACK_REQUEST = Bits.bit(31);

  /** In SEQUENCE: packet sequence number. */
  public static final Bits PSN = new Bits(23, 0);

  /** The partition that everybody belongs to. */
  public static final int DEFAULT_PARTITION = 0xffff;

  private BthLayout() {}
}
