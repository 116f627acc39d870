package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.QueuePairLayout;
import io.twostep.device.rdma.wire.RegisterLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;

/**
 * One end of a reliable connection: requests are posted here and end in its completion queues. One thread at a time.
 *
 * <p>A post returns false while the queue is full: completions make room. Data lies at addresses of local keys, which must live until the request has ended.
 */
public final class QueuePair implements AutoCloseable {
  /** For a post: wait until READs and atomics posted before have ended. */
  public static final int FENCE = 1;

  /** For a post: complete only if it fails. It then makes room when a later request completes, so that not all that are posted may be silent. */
  public static final int SILENT = 1 << 1;

  /** The most data segments of a request, if the queue pair was made with room for them. */
  public static final int MAX_SEGMENTS = WqeLayout.MAX_UNITS - 2;

  /** The data segments that a queue pair must be made for if registrations are to be posted. */
  public static final int REGISTER_SEGMENTS = KeyUpdateLayout.SIZE / WqeLayout.UNIT - 2;

  private static final int ATOMIC_LENGTH = 8;
  private static final int COUNTER_MASK = 0xffff;

  private final Hca hca;
  private final ProtectionDomain domain;
  private final CompletionQueue sendCq;
  private final CompletionQueue receiveCq;
  private final int depth;
  private final int maxSegments;
  private final int sendSize;
  private final int receiveSize;
  private final DataSegments one = new DataSegments();
  private final DmaBuffer buffer;
  private final MemorySegment queues;
  private final long receiveBase;
  private final long record;
  private final boolean privileged;
  private final int number;
  private final long[] sendIds;
  private final long[] receiveIds;
  private int sends;
  private int sendsDone;
  private int receives;
  private int receivesDone;
  private boolean closed;

  QueuePair(Hca hca, ProtectionDomain domain, CompletionQueue sendCq, CompletionQueue receiveCq, int depth, int maxSegments, boolean privileged) {
    if (depth < 1 || depth > 1 << 14 || Integer.bitCount(depth) != 1) {
      throw new IllegalArgumentException(hca.name() + ": depth " + depth + " must be a power of two up to 16384");
    }
    if (maxSegments < 1 || maxSegments > MAX_SEGMENTS) {
      throw new IllegalArgumentException(hca.name() + ": " + maxSegments + " data segments of a request; there may be 1 to " + MAX_SEGMENTS);
    }
    this.hca = hca;
    this.domain = domain;
    this.sendCq = sendCq;
    this.receiveCq = receiveCq;
    this.depth = depth;
    this.maxSegments = maxSegments;
    this.privileged = privileged;
    sendSize = Math.max(QueuePairLayout.ENTRY_SIZE, Integer.highestOneBit((2 + maxSegments) * WqeLayout.UNIT - 1) << 1);
    receiveSize = Integer.highestOneBit(Math.max(QueuePairLayout.ENTRY_SIZE, maxSegments * WqeLayout.UNIT) - 1) << 1;
    sendIds = new long[depth];
    receiveIds = new long[depth];
    receiveBase = (long) depth * sendSize;
    record = receiveBase + (long) depth * receiveSize;
    promise();
    try {
      buffer = hca.mapper().allocateCoherent(record + QueuePairLayout.ENTRY_SIZE);
    } catch (RuntimeException e) {
      forget();
      throw e;
    }
    queues = buffer.segment();
    try {
      number = hca.commands().execute(CommandLayout.OP_CREATE_QP, this::describe);
    } catch (RuntimeException e) {
      buffer.close();
      forget();
      throw e;
    }
    sendCq.add(this);
    receiveCq.add(this);
  }

  private void promise() {
    promiseFaults();
    try {
      sendCq.promise(depth);
    } catch (RuntimeException e) {
      forgetFaults();
      throw e;
    }
    try {
      receiveCq.promise(depth);
    } catch (RuntimeException e) {
      sendCq.forget(depth);
      forgetFaults();
      throw e;
    }
  }

  private void forget() {
    sendCq.forget(depth);
    receiveCq.forget(depth);
    forgetFaults();
  }

  /** The driver's own has no faults, and must be had anew whatever waits in the event queue. */
  private void promiseFaults() {
    if (!privileged) {
      hca.events().promise();
    }
  }

  private void forgetFaults() {
    if (!privileged) {
      hca.events().forget();
    }
  }

  /** Refuse a post to queues whose memory may be another's by now, and a command about a number that may be. */
  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("%s: queue pair %d is closed; make another".formatted(hca.name(), number));
    }
  }

  private void describe(MemorySegment input) {
    int log = Integer.numberOfTrailingZeros(depth);
    QueuePairLayout.PROTECTION_DOMAIN.set(input, 0, domain.number());
    QueuePairLayout.SEND_CQ.set(input, 0, sendCq.number());
    QueuePairLayout.RECEIVE_CQ.set(input, 0, receiveCq.number());
    QueuePairLayout.LOG_SEND_ENTRIES.set(input, 0, log);
    QueuePairLayout.LOG_RECEIVE_ENTRIES.set(input, 0, log);
    QueuePairLayout.LOG_SEND_BLOCKS.set(input, 0, Integer.numberOfTrailingZeros(sendSize / QueuePairLayout.ENTRY_SIZE));
    QueuePairLayout.LOG_RECEIVE_BLOCKS.set(input, 0, Integer.numberOfTrailingZeros(receiveSize / QueuePairLayout.ENTRY_SIZE));
    QueuePairLayout.PRIVILEGED.set(input, 0, privileged ? 1 : 0);
    QueuePairLayout.SEND_BUFFER.set(input, 0, buffer.dmaAddress());
    QueuePairLayout.RECEIVE_BUFFER.set(input, 0, buffer.dmaAddress() + receiveBase);
    QueuePairLayout.DOORBELL_RECORD.set(input, 0, buffer.dmaAddress() + record);
  }

  /** Return the adapter it belongs to. */
  public Hca hca() {
    return hca;
  }

  /** Return its protection domain. */
  public ProtectionDomain domain() {
    return domain;
  }

  /** Return how many requests can be posted when nothing is. */
  public int depth() {
    return depth;
  }

  /** Tell whether it was destroyed, so that the adapter uses no memory for its requests any more. */
  public boolean isClosed() {
    return closed;
  }

  /** Return the number that the peer connects to. */
  public int number() {
    return number;
  }

  /** Return the most data segments of a request. */
  public int maxSegments() {
    return maxSegments;
  }

  /** Return how many more requests can be posted now. */
  public int room() {
    return depth - (sends - sendsDone);
  }

  /**
   * Connect to a peer's queue pair; sequence numbers are 24 bits, each end's own first.
   *
   * @throws IllegalStateException if it is closed
   */
  public void connect(int remoteNumber, int sendPsn, int receivePsn, Connection connection) {
    requireOpen();
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
    return postReceive(id, one(key, address, length));
  }

  /** Post a receive into several pieces, the first filled first. */
  public boolean postReceive(long id, DataSegments data) {
    requireOpen();
    requireFits(data);
    if (receives - receivesDone == depth) {
      return false;
    }
    long at = receiveBase + (long) (receives & (depth - 1)) * receiveSize;
    queues.asSlice(at, receiveSize).fill((byte) 0);
    for (int i = 0; i < data.count(); i++) {
      data(at + (long) i * WqeLayout.UNIT, data, i);
    }
    if (data.count() * WqeLayout.UNIT < receiveSize) {
      WqeLayout.DATA_KEY.set(queues, at + (long) data.count() * WqeLayout.UNIT, WqeLayout.END_OF_LIST);
    }
    receiveIds[receives & (depth - 1)] = id;
    receives++;
    QueuePairLayout.RECORD_RECEIVES.setRelease(queues, record, receives);
    return true;
  }

  /** Post a SEND. */
  public boolean postSend(long id, MemoryKey key, long address, int length) {
    return post(id, WqeLayout.OP_SEND, 0, 0, one(key, address, length), 0, 0);
  }

  /** Post a SEND of several pieces. */
  public boolean postSend(long id, DataSegments data, int flags) {
    return post(id, WqeLayout.OP_SEND, flags, 0, data, 0, 0);
  }

  /** Post a SEND of several pieces that hands the peer four bytes with the end of its receive. */
  public boolean postSendImmediate(long id, DataSegments data, int immediate, int flags) {
    return post(id, WqeLayout.OP_SEND_IMMEDIATE, flags, immediate, data, 0, 0);
  }

  /** Post a SEND that invalidates {@code remoteKey} of the receiver. */
  public boolean postSendInvalidate(long id, MemoryKey key, long address, int length, int remoteKey) {
    return post(id, WqeLayout.OP_SEND_INVALIDATE, 0, remoteKey, one(key, address, length), 0, 0);
  }

  /** Post a WRITE to the peer. */
  public boolean postWrite(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress) {
    return post(id, WqeLayout.OP_WRITE, 0, 0, one(key, address, length), remoteKey, remoteAddress);
  }

  /** Post a WRITE of several pieces to one range of the peer. */
  public boolean postWrite(long id, DataSegments data, int remoteKey, long remoteAddress, int flags) {
    return post(id, WqeLayout.OP_WRITE, flags, 0, data, remoteKey, remoteAddress);
  }

  /** Post a WRITE to the peer that ends one of its receives with immediate data. */
  public boolean postWriteImmediate(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress, int immediate) {
    return post(id, WqeLayout.OP_WRITE_IMMEDIATE, 0, immediate, one(key, address, length), remoteKey, remoteAddress);
  }

  /** Post a READ from the peer. */
  public boolean postRead(long id, MemoryKey key, long address, int length, int remoteKey, long remoteAddress) {
    return post(id, WqeLayout.OP_READ, 0, 0, one(key, address, length), remoteKey, remoteAddress);
  }

  /** Post a READ of one range of the peer into several pieces. */
  public boolean postRead(long id, DataSegments data, int remoteKey, long remoteAddress, int flags) {
    return post(id, WqeLayout.OP_READ, flags, 0, data, remoteKey, remoteAddress);
  }

  /** Post a comparison of 8 bytes of the peer with {@code compare}, and their replacement if equal; what they were goes to {@code address}. */
  public boolean postCompareSwap(long id, MemoryKey key, long address, int remoteKey, long remoteAddress, long compare, long swap) {
    return postAtomic(id, WqeLayout.OP_COMPARE_SWAP, key, address, remoteKey, remoteAddress, swap, compare);
  }

  /** Post an addition to 8 bytes of the peer; what they were goes to {@code address}. */
  public boolean postFetchAdd(long id, MemoryKey key, long address, int remoteKey, long remoteAddress, long addend) {
    return postAtomic(id, WqeLayout.OP_FETCH_ADD, key, address, remoteKey, remoteAddress, addend, 0);
  }

  /** Post a change of a key. */
  boolean postUpdate(long id, KeyUpdate update, int flags) {
    requireOpen();
    requireUpdates();
    if (room() == 0) {
      return false;
    }
    long at = begin();
    WqeLayout.EXTRA.set(queues, at, update.key());
    update.write(queues, at);
    end(id, at, WqeLayout.OP_KEY_UPDATE, flags, KeyUpdateLayout.SIZE / WqeLayout.UNIT);
    return true;
  }

  private DataSegments one(MemoryKey key, long address, int length) {
    one.clear();
    return length == 0 ? one : one.add(key, address, length);
  }

  private boolean post(long id, int opcode, int flags, int extra, DataSegments data, int remoteKey, long remoteAddress) {
    requireOpen();
    requireFits(data);
    if (room() == 0) {
      return false;
    }
    long at = begin();
    int units = 1;
    if (opcode != WqeLayout.OP_SEND && opcode != WqeLayout.OP_SEND_INVALIDATE && opcode != WqeLayout.OP_SEND_IMMEDIATE) {
      remote(at, remoteKey, remoteAddress);
      units++;
    }
    for (int i = 0; i < data.count(); i++, units++) {
      data(at + (long) units * WqeLayout.UNIT, data, i);
    }
    WqeLayout.EXTRA.set(queues, at, extra);
    end(id, at, opcode, flags, units);
    return true;
  }

  private void requireFits(DataSegments data) {
    if (data.count() > maxSegments) {
      throw new IllegalArgumentException(
          hca.name() + ": a request of " + data.count() + " data segments on a queue pair made for " + maxSegments + "; make it with more or post several requests");
    }
  }

  private boolean postAtomic(long id, int opcode, MemoryKey key, long address, int remoteKey, long remoteAddress, long operand, long compare) {
    requireOpen();
    if (room() == 0) {
      return false;
    }
    long at = begin();
    remote(at, remoteKey, remoteAddress);
    WqeLayout.SWAP_OR_ADD.set(queues, at + 2 * WqeLayout.UNIT, operand);
    WqeLayout.COMPARE.set(queues, at + 2 * WqeLayout.UNIT, compare);
    data(at + 3 * WqeLayout.UNIT, one(key, address, ATOMIC_LENGTH), 0);
    end(id, at, opcode, 0, 4);
    return true;
  }

  /** Return the place of the next send entry, cleared. */
  private long begin() {
    long at = (long) (sends & (depth - 1)) * sendSize;
    queues.asSlice(at, sendSize).fill((byte) 0);
    return at;
  }

  private void remote(long at, int remoteKey, long remoteAddress) {
    WqeLayout.REMOTE_ADDRESS.set(queues, at + WqeLayout.UNIT, remoteAddress);
    WqeLayout.REMOTE_KEY.set(queues, at + WqeLayout.UNIT, remoteKey);
  }

  private void data(long at, DataSegments data, int segment) {
    WqeLayout.DATA_LENGTH.set(queues, at, data.lengthField(segment));
    WqeLayout.DATA_KEY.set(queues, at, data.key(segment));
    WqeLayout.DATA_ADDRESS.set(queues, at, data.address(segment));
  }

  /**
   * Post the registration of the pages of {@code key}, which takes another low byte: requests posted after it may name it.
   *
   * @param start address that requests shall name the first byte by; its offset within 4 KiB is that of the first page's bytes
   * @param access {@link AccessFlags}
   * @throws IllegalArgumentException if the key has fewer pages, or the queue pair was made for fewer than {@value #REGISTER_SEGMENTS} data segments
   */
  public boolean postRegister(long id, FastKey key, long start, long length, int access, int flags) {
    requireOpen();
    requireUpdates();
    key.check(this, start, length);
    int checked = AccessFlags.check(access);
    return room() > 0 && postUpdate(id, key, key.registration(start, length, checked), flags);
  }

  /** Post the invalidation of a key; it waits until everything posted before has ended. */
  public boolean postInvalidate(long id, FastKey key, int flags) {
    return postUpdate(id, key, key.invalidation(this), flags | FENCE);
  }

  private boolean postUpdate(long id, FastKey key, KeyUpdate update, int flags) {
    int request = sends;
    boolean posted = postUpdate(id, update, flags);
    if (posted) {
      key.posted(this, request);
    }
    return posted;
  }

  /** Tell whether the request that was posted as number {@code request} will not be executed any more. */
  boolean hasEnded(int request) {
    return closed || sendsDone - request > 0;
  }

  private void requireUpdates() {
    if (sendSize < KeyUpdateLayout.SIZE) {
      throw new IllegalArgumentException(
          hca.name() + ": a queue pair made for " + maxSegments + " data segments has no room for registrations; make it for " + REGISTER_SEGMENTS);
    }
  }

  /** Hand the send entry at {@code at} to the adapter. */
  private void end(long id, long at, int opcode, int flags, int units) {
    int bits = WqeLayout.FENCE.with(0, (flags & FENCE) != 0 ? 1 : 0);
    WqeLayout.FLAGS.set(queues, at, WqeLayout.COMPLETION.with(bits, (flags & SILENT) != 0 ? 0 : WqeLayout.COMPLETION_ALWAYS));
    WqeLayout.OPERATION.set(queues, at, WqeLayout.INDEX.with(opcode, sends & COUNTER_MASK));
    WqeLayout.QUEUE_AND_UNITS.set(queues, at, WqeLayout.UNITS.with(WqeLayout.QUEUE_PAIR.with(0, number), units));
    sendIds[sends & (depth - 1)] = id;
    sends++;
    QueuePairLayout.RECORD_SENDS.setRelease(queues, record, sends);
    hca.registers().write64(RegisterLayout.SEND_DOORBELL, number);
  }

  /**
   * Take note that a request ended; returns its id.
   *
   * @throws HcaException if none of that number is outstanding, or it is a receive and not the oldest: a request that counts as ended makes room, and its memory may be another's
   */
  long finished(boolean receive, int counter) {
    int ahead = counter - (receive ? receivesDone : sendsDone) & COUNTER_MASK;
    if (ahead >= (receive ? receives - receivesDone : sends - sendsDone)) {
      throw new HcaException(
          "%s: queue pair %d: the adapter says that %s %d has ended, which is not outstanding; reset the adapter"
              .formatted(hca.name(), number, receive ? "receive" : "request", counter));
    }
    if (receive) {
      if (ahead != 0) {
        throw new HcaException(
            "%s: queue pair %d: the adapter says that receive %d has ended, and receive %d, posted before it, has not; reset the adapter"
                .formatted(hca.name(), number, counter, receivesDone & COUNTER_MASK));
      }
      receivesDone++;
      return receiveIds[counter & (depth - 1)];
    }
    // Silent requests before it ended too.
    sendsDone += ahead + 1;
    return sendIds[counter & (depth - 1)];
  }

  /**
   * Make it fail: what is posted ends flushed.
   *
   * @throws IllegalStateException if it is closed
   */
  public void fail() {
    requireOpen();
    hca.commands().execute(CommandLayout.OP_FAIL_QP, number);
  }

  /** Destroy it; requests that have not ended never will, and of those that have and were not polled nobody hears. Its completion queues keep what is of others. */
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

  /** Give memory back after the adapter was reset. */
  void abandon() {
    closed = true;
    buffer.close();
  }
}
