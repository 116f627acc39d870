package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Memory keys that are in nobody's hands, kept because a change of one costs less than a command that makes one. Thread-safe.
 *
 * <p>A key comes back only after it was revoked: until then, who knew it could use it. Up to a number of keys stay, the latest; the others are destroyed.
 */
final class KeyPool {
  private final CommandChannel commands;
  private final UpdateQueue updates;
  private final int most;
  private final Map<KeyShape, ArrayDeque<AdapterKey>> parked = new HashMap<>();
  private final ArrayDeque<AdapterKey> order = new ArrayDeque<>();
  private long made;

  KeyPool(CommandChannel commands, UpdateQueue updates, int most) {
    this.commands = commands;
    this.updates = updates;
    this.most = most;
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
    ArrayDeque<AdapterKey> keys = parked.get(shape);
    AdapterKey key = keys == null ? null : keys.pollLast();
    if (key != null) {
      order.remove(key);
    }
    return key;
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
    AdapterKey surplus = park(key);
    if (surplus != null) {
      commands.execute(CommandLayout.OP_DESTROY_MKEY, surplus.key());
    }
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

  private synchronized @Nullable AdapterKey park(AdapterKey key) {
    if (most == 0) {
      return key;
    }
    parked.computeIfAbsent(key.shape(), shape -> new ArrayDeque<>()).addLast(key);
    order.addLast(key);
    if (order.size() <= most) {
      return null;
    }
    AdapterKey oldest = order.removeFirst();
    for (Iterator<ArrayDeque<AdapterKey>> all = parked.values().iterator(); all.hasNext(); ) {
      ArrayDeque<AdapterKey> keys = all.next();
      if (keys.remove(oldest) && keys.isEmpty()) {
        all.remove();
      }
    }
    return oldest;
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
