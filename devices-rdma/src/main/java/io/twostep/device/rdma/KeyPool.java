package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.dma.spi.Timers;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Memory keys that are in nobody's hands, kept because a change of one costs less than a command that makes one. Thread-safe.
 *
 * <p>A key comes back only after it was revoked: until then, who knew it could use it. Up to a number of keys stay, the latest, and none that nobody has used for a time; the others are destroyed. The latest of a shape is
 * taken first, so that those beyond the need grow old. The adapter makes new keys in the place of destroyed ones, whose names go on being remembered: who knew one must not reach the new key by it.
 */
final class KeyPool {
  private static final Logger LOG = LoggerFactory.getLogger(KeyPool.class);

  private final CommandChannel commands;
  private final UpdateQueue updates;
  private final Timers timers;
  private final int most;
  private final long idleNanos;
  private final Map<KeyShape, ArrayDeque<Parked>> parked = new HashMap<>();

  /** All of them, the oldest first. */
  private final ArrayDeque<Parked> order = new ArrayDeque<>();

  /** What keys that were destroyed would have been called next, by their place in the adapter. */
  private final Map<Integer, Integer> nextNames = new HashMap<>();

  private long made;

  /** A key that waits, since some time. */
  private record Parked(AdapterKey key, long sinceNanos) {}

  KeyPool(CommandChannel commands, UpdateQueue updates, Timers timers, HcaConfig config) {
    this.commands = commands;
    this.updates = updates;
    this.timers = timers;
    most = config.pooledKeys();
    idleNanos = config.idleKeyNanos();
  }

  /**
   * Return a key that permits nothing; all its entries are absent if it faults.
   *
   * @throws IllegalArgumentException if no adapter can be asked for as many entries
   */
  AdapterKey take(int mode, boolean faults, long entries) {
    KeyShape shape = KeyShape.of(commands.name(), mode, faults, entries);
    AdapterKey key = parked(shape);
    if (key == null) {
      return make(shape);
    }
    if (faults) {
      key.clearAll();
    }
    return key;
  }

  private synchronized @Nullable AdapterKey parked(KeyShape shape) {
    ArrayDeque<Parked> keys = parked.get(shape);
    Parked latest = keys == null ? null : keys.peekLast();
    if (latest == null) {
      return null;
    }
    remove(latest);
    return latest.key;
  }

  private void remove(Parked waiting) {
    order.remove(waiting);
    ArrayDeque<Parked> keys = parked.get(waiting.key.shape());
    if (keys != null && keys.remove(waiting) && keys.isEmpty()) {
      parked.remove(waiting.key.shape());
    }
  }

  private AdapterKey make(KeyShape shape) {
    int key =
        commands.execute(
            CommandLayout.OP_CREATE_MKEY,
            input -> {
              MkeyLayout.FLAGS.set(input, 0, MkeyLayout.PAGE_FAULTS.with(0, shape.faults() ? 1 : 0));
              MkeyLayout.OCTWORDS.set(input, 0, shape.octwords());
              KeyContext.revoked(updates.domain()).write(input, 0, shape);
            });
    synchronized (this) {
      made++;
      Integer name = nextNames.remove(MkeyLayout.INDEX.get(key));
      return new AdapterKey(updates, shape, key, name == null ? AdapterKey.nameAfter(key) : name);
    }
  }

  /** Take a key back: revoke it, then keep or destroy it. */
  void giveBack(AdapterKey key) {
    key.revoke();
    park(key);
    trim();
  }

  /** Destroy the keys that are too many, or that nobody has used for too long. */
  void trim() {
    for (AdapterKey surplus = surplus(); surplus != null; surplus = surplus()) {
      destroy(surplus);
    }
  }

  /** Destroy a key that was revoked. Its name is remembered before the adapter can give the place to another key; if the adapter refuses, the place is lost, but nothing is reached by it. */
  private void destroy(AdapterKey key) {
    synchronized (this) {
      nextNames.put(MkeyLayout.INDEX.get(key.key()), key.nextName());
    }
    try {
      commands.execute(CommandLayout.OP_DESTROY_MKEY, key.key());
    } catch (HcaException e) {
      LOG.warn("key 0x{} permits nothing, and stays until the adapter is reset: {}", Integer.toHexString(key.key()), e.getMessage());
    }
  }

  private synchronized @Nullable AdapterKey surplus() {
    Parked oldest = order.peekFirst();
    if (oldest == null || (order.size() <= most && timers.nanoTime() - oldest.sinceNanos < idleNanos)) {
      return null;
    }
    remove(oldest);
    return oldest.key;
  }

  /** Take a key back because of a failure, and destroy it, for nobody knows what the adapter made of it; false if the adapter may still use it. */
  boolean tryGiveBack(AdapterKey key, RuntimeException cause) {
    try {
      key.revoke();
      destroy(key);
      return true;
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
      return false;
    }
  }

  private synchronized void park(AdapterKey key) {
    Parked waiting = new Parked(key, timers.nanoTime());
    parked.computeIfAbsent(key.shape(), shape -> new ArrayDeque<>()).addLast(waiting);
    order.addLast(waiting);
  }

  /** Return how many keys wait. */
  synchronized int waiting() {
    return order.size();
  }

  /** Return how many keys the adapter was asked to make. */
  synchronized long made() {
    return made;
  }
}
