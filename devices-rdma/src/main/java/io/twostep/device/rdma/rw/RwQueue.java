package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.LocalDmaKey;
import io.twostep.device.rdma.QueuePair;
import io.twostep.dma.DmaMapper;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/**
 * What the transfers of one queue pair share: limits, the key that names mapped memory, and a pool of keys to register. One thread at a time, that of the queue pair.
 *
 * <pre>{@code
 * RwQueue queue = new RwQueue(queuePair, RwLimits.ofRanges(queuePair.maxSegments()), 0);
 * RwContext context = queue.newContext();                                         // reused
 * context.prepareVector(WRITE, pages.ranges(), remoteKey, remoteAddress);
 * context.post(id, silentId);                                                     // false while the queue pair has no room
 * ...                                                                             // the completion of id comes
 * context.ended(status);
 * context.destroy();                                                              // now the memory is the caller's again
 * }</pre>
 */
public final class RwQueue implements AutoCloseable {
  private final QueuePair queuePair;
  private final RwLimits limits;
  private final LocalDmaKey localKey;
  private final FastKeyPool keys;
  private final Map<RwType, LongAdder> prepared = new EnumMap<>(RwType.class);
  private int contexts;
  private boolean closed;

  /**
   * Create what transfers of a queue pair need.
   *
   * @param keys how many keys to keep; transfers take one for every 1 MiB or less of what is to have keys
   * @throws IllegalArgumentException if requests of {@code limits} do not fit the queue pair
   */
  public RwQueue(QueuePair queuePair, RwLimits limits, int keys) {
    int most = Math.max(limits.sendSge(), limits.readSge());
    if (most > queuePair.maxSegments()) {
      throw new IllegalArgumentException(
          "%s: requests of %d ranges on a queue pair made for %d".formatted(queuePair.hca().name(), most, queuePair.maxSegments()));
    }
    if (keys > 0 && queuePair.maxSegments() < QueuePair.REGISTER_SEGMENTS) {
      throw new IllegalArgumentException(
          "%s: keys are registered on queue pairs made for at least %d data segments, not %d"
              .formatted(queuePair.hca().name(), QueuePair.REGISTER_SEGMENTS, queuePair.maxSegments()));
    }
    for (RwType type : RwType.values()) {
      prepared.put(type, new LongAdder());
    }
    this.queuePair = queuePair;
    this.limits = limits;
    localKey = hca().newLocalKey(queuePair.domain());
    try {
      this.keys = new FastKeyPool(hca(), queuePair.domain(), keys, limits.keyPages());
    } catch (RuntimeException e) {
      localKey.close();
      throw e;
    }
  }

  /** Make a context for one transfer after the other; closed before this. */
  public RwContext newContext() {
    if (closed) {
      throw new IllegalStateException(hca().name() + ": this queue's transfers were closed");
    }
    contexts++;
    return new RwContext(this);
  }

  /** Return what transfers are cut to. */
  public RwLimits limits() {
    return limits;
  }

  /** Return the queue pair. */
  public QueuePair queuePair() {
    return queuePair;
  }

  /** Return how many keys no transfer holds. */
  public int freeKeys() {
    return keys.free();
  }

  /** Return how many transfers of a type were prepared. */
  public long prepared(RwType type) {
    return Objects.requireNonNull(prepared.get(type)).sum();
  }

  Hca hca() {
    return queuePair.hca();
  }

  DmaMapper mapper() {
    return hca().mapper();
  }

  LocalDmaKey localKey() {
    return localKey;
  }

  FastKeyPool keys() {
    return keys;
  }

  void count(RwType type) {
    Objects.requireNonNull(prepared.get(type)).increment();
  }

  void forget() {
    contexts--;
  }

  /**
   * Make the adapter forget the keys; the queue pair may be closed before or after. May be repeated.
   *
   * @throws IllegalStateException while there are contexts
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (contexts != 0) {
      throw new IllegalStateException(hca().name() + ": " + contexts + " contexts still transfer or may; close them first");
    }
    keys.close();
    localKey.close();
    closed = true;
  }
}
