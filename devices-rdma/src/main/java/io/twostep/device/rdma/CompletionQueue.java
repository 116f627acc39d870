package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.Be32;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.CqeLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Where work requests end, to be polled. One thread at a time: making and closing its queue pairs counts. */
public final class CompletionQueue implements AutoCloseable {
  private static final Be32 CONSUMED = new Be32(0);
  private static final int RECORD_SIZE = 64;

  private final Hca hca;
  private final int logEntries;
  private final DmaBuffer buffer;
  private final MemorySegment entries;
  private final int number;
  private final Map<Integer, QueuePair> users = new ConcurrentHashMap<>();
  private long consumed;
  private int promised;
  private boolean closed;

  CompletionQueue(Hca hca, int capacity) {
    this.hca = hca;
    logEntries = Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(1, capacity - 1));
    long bytes = (long) CqeLayout.SIZE << logEntries;
    buffer = hca.mapper().allocateCoherent(bytes + RECORD_SIZE);
    entries = buffer.segment();
    for (long at = 0; at < bytes; at += CqeLayout.SIZE) {
      CqeLayout.KIND_OWNER.set(entries, at, CqeLayout.OWNER.with(CqeLayout.KIND.with(0, CqeLayout.KIND_INVALID), 1));
    }
    try {
      number =
          hca.commands()
              .execute(
                  CommandLayout.OP_CREATE_CQ,
                  input -> {
                    CommandLayout.BUFFER.set(input, 0, buffer.dmaAddress());
                    CommandLayout.LOG_ENTRIES.set(input, 0, logEntries);
                    CommandLayout.DOORBELL_RECORD.set(input, 0, buffer.dmaAddress() + bytes);
                  });
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
  }

  int number() {
    return number;
  }

  /** Refuse to be asked for completions, or to take them, by a number that may be another's by now. */
  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("%s: completion queue %d is closed".formatted(hca.name(), number));
    }
  }

  /** Keep room for what a queue pair may have posted. */
  void promise(int requests) {
    requireOpen();
    if (promised + requests > 1 << logEntries) {
      throw new IllegalArgumentException(
          hca.name() + ": a completion queue of " + (1 << logEntries) + " entries cannot take " + requests + " requests besides " + promised + "; make it longer");
    }
    promised += requests;
  }

  void forget(int requests) {
    promised -= requests;
  }

  void add(QueuePair queuePair) {
    users.put(queuePair.number(), queuePair);
  }

  /** Take out the completions of a queue pair that was destroyed: nobody asks for them any more, and their room is promised to others. All others keep their order. */
  void remove(QueuePair queuePair) {
    users.remove(queuePair.number());
    long end = consumed;
    while (end - consumed < 1L << logEntries && isPosted(end)) {
      end++;
    }
    long kept = end;
    for (long entry = end - 1; entry >= consumed; entry--) {
      if (CqeLayout.QUEUE_PAIR.get(entries, at(entry)) != queuePair.number()) {
        move(entry, --kept);
      }
    }
    consumeUpTo(kept);
  }

  private void move(long from, long to) {
    MemorySegment.copy(entries, at(from), entries, at(to), CqeLayout.SIZE);
    CqeLayout.KIND_OWNER.set(entries, at(to), CqeLayout.OWNER.with(CqeLayout.KIND_OWNER.get(entries, at(to)), round(to)));
  }

  private long at(long entry) {
    return (entry & ((1L << logEntries) - 1)) * CqeLayout.SIZE;
  }

  private int round(long entry) {
    return (int) (entry >>> logEntries) & 1;
  }

  /** Tell whether the adapter has written an entry, whose other fields may then be read. */
  private boolean isPosted(long entry) {
    int kindOwner = CqeLayout.KIND_OWNER.getAcquire(entries, at(entry));
    return CqeLayout.KIND.get(kindOwner) != CqeLayout.KIND_INVALID && CqeLayout.OWNER.get(kindOwner) == round(entry);
  }

  private void consumeUpTo(long entry) {
    consumed = entry;
    CONSUMED.setRelease(entries, (long) CqeLayout.SIZE << logEntries, (int) consumed);
  }

  /** Give up to {@code most} completions to {@code sink}, which may close this queue or its queue pairs; returns how many. */
  public int poll(int most, WorkCompletion sink) {
    requireOpen();
    int taken = 0;
    while (taken < most && !closed && isPosted(consumed)) {
      long at = at(consumed);
      int kind = CqeLayout.KIND.get(CqeLayout.KIND_OWNER.get(entries, at));
      int queue = CqeLayout.QUEUE_PAIR.get(entries, at);
      int counter = CqeLayout.WQE_COUNTER.get(entries, at);
      int extra = CqeLayout.EXTRA.get(entries, at);
      long length = CqeLayout.BYTE_COUNT.getUnsigned(entries, at);
      CompletionStatus status = CompletionStatus.of(CqeLayout.SYNDROME.get(entries, at));
      consumeUpTo(consumed + 1);
      taken++;
      QueuePair queuePair = users.get(queue);
      if (queuePair != null) {
        boolean receive = kind != CqeLayout.KIND_REQUEST && kind != CqeLayout.KIND_REQUEST_ERROR;
        sink.accept(queuePair, queuePair.finished(receive, counter), receive, status, extra, length);
      }
    }
    return taken;
  }

  /** Destroy the queue; its queue pairs must be closed before. */
  @Override
  public void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_CQ, number);
      closed = true;
      buffer.close();
    }
  }

  /** Give memory back after the adapter was reset. */
  void abandon() {
    closed = true;
    buffer.close();
  }
}
