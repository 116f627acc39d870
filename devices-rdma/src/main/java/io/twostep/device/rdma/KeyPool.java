package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.dma.spi.Timers;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Memory keys that are in nobody's hands, kept because a change of one costs less than a command that makes one. Thread-safe.
 *
 * <p>A key comes back only after it was revoked: until then, who knew it could use it. Up to a number of keys stay, the latest, and none that nobody has used for a time; the others are destroyed. The latest of a shape is
 * taken first, so that those beyond the need grow old.
 */
final class KeyPool {
  private final CommandChannel commands;
  private final UpdateQueue updates;
  private final Timers timers;
  private final int most;
  private final long idleNanos;
  private final Map<KeyShape, ArrayDeque<Parked>> parked = new HashMap<>();

  /** All of them, the oldest first. */
  private final ArrayDeque<Parked> order = new ArrayDeque<>();

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

  /** Return a key that permits nothing; all its entries are absent if it faults. */
  AdapterKey take(int mode, boolean faults, long entries) {
    KeyShape shape = KeyShape.of(mode, faults, entries);
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
    }
    return new AdapterKey(updates, shape, key);
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
      commands.execute(CommandLayout.OP_DESTROY_MKEY, surplus.key());
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

  /** Take a key back because of a failure; false if the adapter may still use it. */
  boolean tryGiveBack(AdapterKey key, RuntimeException cause) {
    try {
      giveBack(key);
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
