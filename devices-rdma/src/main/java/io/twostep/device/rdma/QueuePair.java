package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.QueuePairLayout;
import io.twostep.device.rdma.wire.RegisterLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;

/**
 * One end of a reliable connection: requests are posted here and end in its completion queues. One thread at a time.
 *
 * <p>A post returns false while the queue is full: completions make room. Data lies at an address of a local key, which must live until the request has ended.
 */
public final class QueuePair implements AutoCloseable {
  private static final int ATOMIC_LENGTH = 8;
  private static final int COUNTER_MASK = 0xffff;

  private final Hca hca;
  private final CompletionQueue sendCq;
  private final CompletionQueue receiveCq;
  private final int depth;
  private final DmaBuffer buffer;
  private final MemorySegment queues;
  private final long receiveBase;
  private final long record;
  private final int number;
  private final long[] sendIds;
  private final long[] receiveIds;
  private int sends;
  private int sendsDone;
  private int receives;
  private int receivesDone;
  private boolean closed;

  QueuePair(Hca hca, ProtectionDomain domain, CompletionQueue sendCq, CompletionQueue receiveCq, int depth) {
    if (depth < 1 || depth > 1 << 14 || Integer.bitCount(depth) != 1) {
      throw new IllegalArgumentException(hca.name() + ": depth " + depth + " must be a power of two up to 16384");
    }
    this.hca = hca;
    this.sendCq = sendCq;
    this.receiveCq = receiveCq;
    this.depth = depth;
    sendIds = new long[depth];
    receiveIds = new long[depth];
    receiveBase = (long) depth * QueuePairLayout.ENTRY_SIZE;
    record = 2 * receiveBase;
    promise();
    try {
      buffer = hca.mapper().allocateCoherent(record + QueuePairLayout.ENTRY_SIZE);
    } catch (RuntimeException e) {
      forget();
      throw e;
    }
    queues = buffer.segment();
    try {
      number = hca.commands().execute(CommandLayout.OP_CREATE_QP, input -> describe(input, domain));
    } catch (RuntimeException e) {
      buffer.close();
      forget();
      throw e;
    }
    sendCq.add(this);
    receiveCq.add(this);
  }

  private void promise() {
    sendCq.promise(depth);
    try {
      receiveCq.promise(depth);
    } catch (RuntimeException e) {
      sendCq.forget(depth);
      throw e;
    }
  }

  private void forget() {
    sendCq.forget(depth);
    receiveCq.forget(depth);
  }

  private void describe(MemorySegment input, ProtectionDomain domain) {
    int log = Integer.numberOfTrailingZeros(depth);
    QueuePairLayout.PROTECTION_DOMAIN.set(input, 0, domain.number());
    QueuePairLayout.SEND_CQ.set(input, 0, sendCq.number());
    QueuePairLayout.RECEIVE_CQ.set(input, 0, receiveCq.number());
    QueuePairLayout.LOG_SEND_ENTRIES.set(input, 0, log);
    QueuePairLayout.LOG_RECEIVE_ENTRIES.set(input, 0, log);
    QueuePairLayout.SEND_BUFFER.set(input, 0, buffer.dmaAddress());
    QueuePairLayout.RECEIVE_BUFFER.set(input, 0, buffer.dmaAddress() + receiveBase);
    QueuePairLayout.DOORBELL_RECORD.set(input, 0, buffer.dmaAddress() + record);
  }

  /** Return the number that the peer connects to. */
  public int number() {
    return number;
  }

  /** Connect to a peer's queue pair; sequence numbers are 24 bits, each end's own first. */
  public void connect(int remoteNumber, int sendPsn, int receivePsn, Connection connection) {
    hca.commands()
        .execute(
            CommandLayout.OP_CONNECT_QP,
            input -> {
              QueuePairLayout.NUMBER.set(input, 0, number);
              QueuePairLayout.REMOTE_NUMBER.set(input, 0, remoteNumber);
              QueuePairLayout.MTU.set(input, 0, connection.mtu());
              QueuePairLayout.SEND_PSN.set(input, 0, sendPsn);
              QueuePairLayout.RECEIVE_PSN.set(input, 0, receivePsn);
              QueuePairLayout.TIMEOUT.set(input, 0, connection.timeout());
              QueuePairLayout.RETRIES.set(input, 0, connection.retries() | connection.rnrRetries() << 8 | connection.rnrTimer() << 16);
              QueuePairLayout.READS.set(input, 0, connection.reads() | connection.reads() << 8);
            });
  }

  /** Post a receive of up to {@code length} bytes. */
  public boolean postReceive(long id, MemoryKey key, long address, int length) {
    if (receives - receivesDone == depth) {
      return false;
    }
    long at = receiveBase + entry(receives);
    queues.asSlice(at, QueuePairLayout.ENTRY_SIZE).fill((byte) 0);
    data(at, key, address, length);
    WqeLayout.DATA_KEY.set(queues, at + WqeLayout.UNIT, WqeLayout.END_OF_LIST);
    receiveIds[receives & (depth - 1)] = id;
    receives++;
    QueuePairLayout.RECORD_RECEIVES.setRelease(queues, record, receives);
    return true;
  }

  /** Post a SEND. */
  public boolean postSend(long id, MemoryKey key, long address, int length) {
    return post(id, WqeLayout.OP_SEND, 0, false, key, address, length, 0, 0, 0, 0);
  }

  /** Post a SEND that invalidates {@code remoteKey} of the receiver. */
  public boolean postSendInvalidate(long id, MemoryKey key, long address, int length, int remoteKey) {
    return post(id, WqeLayout.OP_SEND_INVALIDATE, remoteKey, false, key, address, length, 0, 0, 0, 0);
  }

  /** Post a WRITE to the peer. */
  public boolean postWrite(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress) {
    return post(id, WqeLayout.OP_WRITE, 0, false, key, address, length, remoteKey, remoteAddress, 0, 0);
  }

  /** Post a WRITE to the peer that ends one of its receives with immediate data. */
  public boolean postWriteImmediate(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress, int immediate) {
    return post(id, WqeLayout.OP_WRITE_IMMEDIATE, immediate, false, key, address, length, remoteKey, remoteAddress, 0, 0);
  }

  /** Post a READ from the peer. */
  public boolean postRead(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress) {
    return post(id, WqeLayout.OP_READ, 0, false, key, address, length, remoteKey, remoteAddress, 0, 0);
  }

  /** Post a comparison of 8 bytes of the peer with {@code compare}, and their replacement if equal; what they were goes to {@code address}. */
  public boolean postCompareSwap(long id, MemoryKey key, long address, int remoteKey, long remoteAddress, long compare, long swap) {
    return post(id, WqeLayout.OP_COMPARE_SWAP, 0, true, key, address, ATOMIC_LENGTH, remoteKey, remoteAddress, swap, compare);
  }

  /** Post an addition to 8 bytes of the peer; what they were goes to {@code address}. */
  public boolean postFetchAdd(long id, MemoryKey key, long address, int remoteKey, long remoteAddress, long addend) {
    return post(id, WqeLayout.OP_FETCH_ADD, 0, true, key, address, ATOMIC_LENGTH, remoteKey, remoteAddress, addend, 0);
  }

  private boolean post(
      long id, int opcode, int extra, boolean atomic, MemoryKey key, long address, int length, int remoteKey, long remoteAddress, long operand, long compare) {
    if (sends - sendsDone == depth) {
      return false;
    }
    long at = entry(sends);
    queues.asSlice(at, QueuePairLayout.ENTRY_SIZE).fill((byte) 0);
    boolean remote = opcode != WqeLayout.OP_SEND && opcode != WqeLayout.OP_SEND_INVALIDATE;
    int units = (remote ? 2 : 1) + (atomic ? 1 : 0);
    WqeLayout.OPERATION.set(queues, at, WqeLayout.INDEX.with(opcode, sends & COUNTER_MASK));
    WqeLayout.EXTRA.set(queues, at, extra);
    if (remote) {
      WqeLayout.REMOTE_ADDRESS.set(queues, at + WqeLayout.UNIT, remoteAddress);
      WqeLayout.REMOTE_KEY.set(queues, at + WqeLayout.UNIT, remoteKey);
    }
    if (atomic) {
      WqeLayout.SWAP_OR_ADD.set(queues, at + 2 * WqeLayout.UNIT, operand);
      WqeLayout.COMPARE.set(queues, at + 2 * WqeLayout.UNIT, compare);
    }
    if (length > 0) {
      data(at + (long) units * WqeLayout.UNIT, key, address, length);
      units++;
    }
    WqeLayout.QUEUE_AND_UNITS.set(queues, at, WqeLayout.UNITS.with(WqeLayout.QUEUE_PAIR.with(0, number), units));
    sendIds[sends & (depth - 1)] = id;
    sends++;
    QueuePairLayout.RECORD_SENDS.setRelease(queues, record, sends);
    hca.registers().write64(RegisterLayout.SEND_DOORBELL, number);
    return true;
  }

  private void data(long at, MemoryKey key, long address, int length) {
    WqeLayout.DATA_LENGTH.set(queues, at, length);
    WqeLayout.DATA_KEY.set(queues, at, key.key());
    WqeLayout.DATA_ADDRESS.set(queues, at, address);
  }

  private long entry(int index) {
    return (long) (index & (depth - 1)) * QueuePairLayout.ENTRY_SIZE;
  }

  /** Take note that a request ended; returns its id. */
  long finished(boolean receive, int counter) {
    if (receive) {
      receivesDone++;
      return receiveIds[counter & (depth - 1)];
    }
    sendsDone++;
    return sendIds[counter & (depth - 1)];
  }

  /** Make it fail: what is posted ends flushed. */
  public void fail() {
    hca.commands().execute(CommandLayout.OP_FAIL_QP, number);
  }

  /** Destroy it; requests that have not ended never will. */
  @Override
  public void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_QP, number);
      closed = true;
      sendCq.remove(this);
      receiveCq.remove(this);
      forget();
      buffer.close();
    }
  }
}
