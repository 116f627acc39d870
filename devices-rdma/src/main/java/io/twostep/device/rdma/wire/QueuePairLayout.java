package io.twostep.device.rdma.wire;

/** Place the fields of the inputs that make and connect a queue pair. */
public final class QueuePairLayout {
  /** Bytes of a block of an entry. */
  public static final int ENTRY_SIZE = 64;

  /** The most blocks of an entry, as a power of two. */
  public static final int MAX_LOG_BLOCKS = 4;

  /** To make: protection domain. */
  public static final Be32 PROTECTION_DOMAIN = new Be32(8);

  /** To make: completion queue of the send queue. */
  public static final Be32 SEND_CQ = new Be32(12);

  /** To make: completion queue of the receive queue. */
  public static final Be32 RECEIVE_CQ = new Be32(16);

  /** To make: entries of the send queue, as a power of two. */
  public static final Be32 LOG_SEND_ENTRIES = new Be32(20);

  /** To make: entries of the receive queue, as a power of two. */
  public static final Be32 LOG_RECEIVE_ENTRIES = new Be32(24);

  /** To make: blocks of each send entry, as a power of two. */
  public static final Be32 LOG_SEND_BLOCKS = new Be32(28);

  /** To make: blocks of each receive entry, as a power of two. */
  public static final Be32 LOG_RECEIVE_BLOCKS = new Be32(60);

  /** To make: not 0 if its updates may change keys of all domains, and their domain. */
  public static final Be32 PRIVILEGED = new Be32(56);

  /** To make: DMA address of the send queue. */
  public static final Be64 SEND_BUFFER = new Be64(32);

  /** To make: DMA address of the receive queue. */
  public static final Be64 RECEIVE_BUFFER = new Be64(40);

  /** To make: DMA address of the doorbell record. */
  public static final Be64 DOORBELL_RECORD = new Be64(48);

  /** Of the doorbell record: receives posted so far, modulo 2^32. */
  public static final Be32 RECORD_RECEIVES = new Be32(0);

  /** Of the doorbell record: sends posted so far, modulo 2^32. */
  public static final Be32 RECORD_SENDS = new Be32(4);

  /** Bytes of a doorbell record. */
  public static final int RECORD_SIZE = 8;

  /** To connect: the queue pair. */
  public static final Be32 NUMBER = new Be32(8);

  /** To connect: the peer's queue pair. */
  public static final Be32 REMOTE_NUMBER = new Be32(12);

  /** To connect: bytes of payload in a packet. */
  public static final Be32 MTU = new Be32(16);

  /** To connect: first sequence number sent. */
  public static final Be32 SEND_PSN = new Be32(20);

  /** To connect: first sequence number received. */
  public static final Be32 RECEIVE_PSN = new Be32(24);

  /** To connect: the acknowledgement timeout is 4.096 us times 2 to this; 0 for ever. */
  public static final Be32 TIMEOUT = new Be32(28);

  /** To connect: retries in bits 7:0, retries of receivers that are not ready in 15:8, code of the own RNR timer in 23:16. */
  public static final Be32 RETRIES = new Be32(32);

  /** To connect: most READs and atomics from here in bits 7:0, to here in 15:8. */
  public static final Be32 READS = new Be32(36);

  private QueuePairLayout() {}
}
