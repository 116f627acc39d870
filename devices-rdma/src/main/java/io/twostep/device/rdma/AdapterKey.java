package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.MkeyLayout;
import java.util.function.LongUnaryOperator;

/** One memory key of the adapter, which is used again and again with another low byte: see {@link KeyPool}. One thread at a time, but for {@link #load} and {@link #commit}. */
final class AdapterKey {
  private final UpdateQueue updates;
  private final KeyShape shape;
  private int key;
  private int nextName;

  /** What entries may be other than absent: from one, to before another. Guarded by this. */
  private long firstPresent;

  private long endOfPresent;

  /** Take over a key that the adapter made; {@code firstName} is what it is to be called first. */
  AdapterKey(UpdateQueue updates, KeyShape shape, int key, int firstName) {
    this.updates = updates;
    this.shape = shape;
    this.key = key;
    nextName = firstName;
  }

  KeyShape shape() {
    return shape;
  }

  /** Return the key as it is now. */
  int key() {
    return key;
  }

  /** Replace entries, done when {@link #commit} returns. */
  void load(long first, long entries, LongUnaryOperator words) {
    present(first, first + entries);
    updates.load(key, shape, first, entries, words);
  }

  private synchronized void present(long from, long to) {
    boolean none = firstPresent == endOfPresent;
    firstPresent = none ? from : Math.min(firstPresent, from);
    endOfPresent = none ? to : Math.max(endOfPresent, to);
  }

  /** Make entries absent, done when {@link #commit} returns. */
  void clear(long first, long entries) {
    updates.load(key, shape, first, entries, word -> 0);
  }

  /** Make absent what was ever loaded, done when {@link #commit} returns: what a key of many entries was used for is often a small part of them. */
  synchronized void clearAll() {
    clear(firstPresent, endOfPresent - firstPresent);
    firstPresent = 0;
    endOfPresent = 0;
  }

  /** Return once no access by what was before is under way. */
  void commit() {
    updates.await(key);
  }

  /** Make the key valid under a name that it did not have for 255 uses, and return that: it stays the owner's, also once the key is another's. */
  int enable(ProtectionDomain domain, int access, long start, long length, int logPage) {
    int variant = MkeyLayout.VARIANT.get(nextName);
    updates.change(key, shape, KeyContext.MASK_ALL, new KeyContext(domain.number(), access, start, length, logPage, variant, false));
    updates.await(key);
    rename();
    return key;
  }

  /** Put the invalid key into a domain, whose queue pairs may change it from now on. */
  void lend(int domain) {
    updates.change(key, shape, KeyContext.MASK_REVOKE, KeyContext.revoked(domain));
    updates.await(key);
  }

  /** Take the next name, which a request gives it. */
  void rename() {
    key = nextName;
    nextName = nameAfter(key);
  }

  /** Return the name that a key takes next: that after 255 others. */
  static int nameAfter(int name) {
    return MkeyLayout.VARIANT.with(name, MkeyLayout.VARIANT.get(name) + 1 & 0xff);
  }

  /** Return the name that it would take next. */
  int nextName() {
    return nextName;
  }

  /** Make the key useless and nobody's; when this returns the adapter reaches nothing by it. */
  void revoke() {
    updates.change(key, shape, KeyContext.MASK_REVOKE, KeyContext.revoked(updates.domain()));
    updates.await(key);
  }
}
