package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongUnaryOperator;

/**
 * The adapter's queue of changes of memory keys: a queue pair of the driver's own, and a buffer that new translation entries go through, chunk by chunk. Thread-safe.
 *
 * <p>A change is done when it is awaited: no access by what was before is under way then. One that the adapter refuses stops the queue, which is made anew; those behind it
 * are posted again.
 */
final class UpdateQueue {
  private static final int DEPTH = 64;
  private static final int SEGMENTS = 8;
  private static final int SMALLEST_BUFFER = 4096;
  private static final long MILLISECOND = 1_000_000;
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

  private final Hca hca;
  private final Timers timers;
  private final long timeoutNanos;
  private final ProtectionDomain domain;
  private final CompletionQueue completions;
  private final LocalDmaKey bufferKey;
  private final DmaBuffer buffer;
  private final ReentrantLock lock = new ReentrantLock();
  private final ArrayDeque<KeyUpdate> outstanding = new ArrayDeque<>();
  private final ArrayDeque<KeyUpdate> flushed = new ArrayDeque<>();
  private final Set<Integer> refused = new HashSet<>();
  private QueuePair queue;
  private long used;
  private long posted;
  private boolean dead;

  /** A change was refused: the queue pair takes no more, and has to be made anew. */
  private boolean failed;

  UpdateQueue(Hca hca, Timers timers, HcaConfig config) {
    this.hca = hca;
    this.timers = timers;
    timeoutNanos = config.commandTimeoutNanos();
    buffer = allocate(hca.mapper(), config.updateBuffer());
    CompletionQueue made = null;
    try {
      domain = hca.newDomain();
      made = hca.newCompletionQueue(2 * DEPTH);
      completions = made;
      bufferKey = hca.newLocalKey(domain);
      queue = newQueue();
    } catch (RuntimeException e) {
      throw Closing.after(e, made == null ? () -> {} : made::close, buffer::close);
    }
  }

  /** Take what memory there is for the buffer, down to a page. */
  private static DmaBuffer allocate(DmaMapper mapper, long wanted) {
    for (long length = wanted; ; length /= 2) {
      try {
        return mapper.allocateCoherent(length);
      } catch (DmaMappingException e) {
        if (length <= SMALLEST_BUFFER) {
          throw e;
        }
      }
    }
  }

  private QueuePair newQueue() {
    QueuePair made = new QueuePair(hca, domain, completions, completions, DEPTH, SEGMENTS, true);
    try {
      made.connect(made.number(), 0, 0, Connection.DEFAULT);
      return made;
    } catch (RuntimeException e) {
      throw Closing.after(e, made::close);
    }
  }

  /** Return the number of the domain that keys belong to which are nobody's. */
  int domain() {
    return domain.number();
  }

  /** Return how many changes were posted so far. */
  long posted() {
    lock.lock();
    try {
      return posted;
    } finally {
      lock.unlock();
    }
  }

  /** Replace translation entries; {@code words} gives them as longs, by number of the long. */
  void load(int key, KeyShape shape, long first, long entries, LongUnaryOperator words) {
    int size = shape.entrySize();
    int longs = size / Long.BYTES;
    lock.lock();
    try {
      for (long done = 0; done < entries; ) {
        int chunk = (int) Math.min(Math.min(entries - done, KeyUpdate.MOST_ENTRIES), buffer.segment().byteSize() / size);
        long bytes = (long) chunk * size;
        if (used + bytes > buffer.segment().byteSize()) {
          awaitAll();
          used = 0;
        }
        MemorySegment part = buffer.segment().asSlice(used, bytes);
        for (long i = 0; i < (long) chunk * longs; i++) {
          part.set(WORD, i * Long.BYTES, words.applyAsLong(done * longs + i));
        }
        post(KeyUpdate.ofEntries(key, shape, first + done, chunk, bufferKey.key(), buffer.dmaAddress() + used));
        used += bytes;
        done += chunk;
      }
    } finally {
      lock.unlock();
    }
  }

  /** Change a context. */
  void change(int key, KeyShape shape, long mask, KeyContext context) {
    lock.lock();
    try {
      post(KeyUpdate.ofContext(key, shape, 0, mask, context));
    } finally {
      lock.unlock();
    }
  }

  private void post(KeyUpdate update) {
    if (dead) {
      throw hung();
    }
    if (failed || queue.room() == 0) {
      awaitAll();
    }
    send(update);
    posted++;
  }

  private void send(KeyUpdate update) {
    queue.postUpdate(0, update, 0);
    outstanding.add(update);
  }

  /**
   * Return once all changes posted before are done.
   *
   * @throws HcaException if the adapter refused one of {@code key}, or does not answer
   */
  void await(int key) {
    lock.lock();
    try {
      awaitAll();
      if (refused.remove(key)) {
        throw new HcaException(hca.name() + ": the adapter refused to change key 0x" + Integer.toHexString(key) + "; close it");
      }
    } finally {
      lock.unlock();
    }
  }

  private void awaitAll() {
    long begun = timers.nanoTime();
    int fruitless = 0;
    while (failed || !outstanding.isEmpty()) {
      if (dead || timers.nanoTime() - begun > timeoutNanos) {
        dead = true;
        throw hung();
      }
      if (outstanding.isEmpty()) {
        postAgain();
      } else if (completions.poll(DEPTH, this::ended) == 0) {
        timers.pause(++fruitless);
      } else {
        fruitless = 0;
      }
    }
  }

  private HcaException hung() {
    return new HcaException(hca.name() + ": a change of a key was not answered within " + timeoutNanos / MILLISECOND + " ms; reset the adapter");
  }

  private void ended(QueuePair from, long id, boolean receive, CompletionStatus status, int extra, long length) {
    KeyUpdate update = outstanding.remove();
    if (status == CompletionStatus.FLUSHED) {
      flushed.add(update);
    } else if (status != CompletionStatus.SUCCESS) {
      refused.add(update.key());
    }
    failed |= status != CompletionStatus.SUCCESS;
  }

  /** Make the queue pair anew and post what was behind the refused change; if that fails, nothing counts as done, and who comes next tries again. */
  private void postAgain() {
    queue.close();
    queue = newQueue();
    failed = false;
    flushed.forEach(this::send);
    flushed.clear();
  }

  /** Give memory back after the adapter was reset. */
  void abandon() {
    new Closing().then(queue::abandon).then(completions::abandon).then(buffer::close).end();
  }
}
