package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.MemoryResult;
import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The way from keys and addresses to memory: checks the key, reads translation entries from host memory, and moves bytes only when every page of the access is there.
 */
final class Translator {
  static final int SMALLEST_LOG_PAGE = 12;
  private static final int INDEX_SHIFT = 8;
  private static final long ATOMIC = 8;

  /** Index 1 would make the key that ends a receive's list. */
  private static final int FIRST_INDEX = 2;

  private final BusMaster bus;
  private final Map<Integer, Mkey> keys = new HashMap<>();
  private final MemorySegment entry = MemorySegment.ofArray(new byte[MttLayout.SIZE]);
  private int nextIndex = FIRST_INDEX;

  /** The access that met an absent page last. */
  private int faultKey;

  private long faultAddress;
  private long faultLength;

  Translator(BusMaster bus) {
    this.bus = bus;
  }

  void clear() {
    keys.clear();
    nextIndex = FIRST_INDEX;
  }

  /** Return a key's index that was never used since power-on. */
  int newIndex() {
    return nextIndex++;
  }

  void add(Mkey key) {
    keys.put(key.key >>> INDEX_SHIFT, key);
  }

  /** Forget a key; false if there is none. */
  boolean remove(int key) {
    return keys.remove(key >>> INDEX_SHIFT) != null;
  }

  int faultKey() {
    return faultKey;
  }

  long faultAddress() {
    return faultAddress;
  }

  long faultLength() {
    return faultLength;
  }

  /** Tell whether a key permits an access; absent pages do not matter. */
  boolean permits(int domain, int key, long address, long length, Bits right) {
    return find(domain, key, address, length, right) != null;
  }

  /** Make a key useless, for a peer; false if it may not. */
  boolean invalidate(int domain, int key) {
    Mkey mkey = keys.get(key >>> INDEX_SHIFT);
    if (mkey == null || mkey.key != key || mkey.free || mkey.domain != domain || !mkey.remoteInvalidate) {
      return false;
    }
    mkey.free = true;
    return true;
  }

  /** Change a key of a domain as a send entry says; false if that cannot be. */
  boolean update(int domain, int key, KeyUpdate update) {
    Mkey old = keys.get(key >>> INDEX_SHIFT);
    Mkey changed = old == null || old.domain != domain ? null : update.of(old);
    if (changed != null) {
      add(changed);
    }
    return changed != null;
  }

  private @Nullable Mkey find(int domain, int key, long address, long length, Bits right) {
    Mkey mkey = keys.get(key >>> INDEX_SHIFT);
    boolean allowed =
        mkey != null && mkey.key == key && !mkey.free && mkey.domain == domain && right.isSet(mkey.access) && mkey.covers(address, length);
    return allowed ? mkey : null;
  }

  MemoryResult read(int domain, int key, long address, MemorySegment target, Bits right) {
    return access(domain, key, address, target, right, false);
  }

  MemoryResult write(int domain, int key, long address, MemorySegment source, Bits right) {
    return access(domain, key, address, source, right, true);
  }

  private MemoryResult access(int domain, int key, long address, MemorySegment data, Bits right, boolean writes) {
    long length = data.byteSize();
    Mkey mkey = find(domain, key, address, length, right);
    if (mkey == null) {
      return MemoryResult.DENIED;
    }
    long[] pieces = new long[(int) (2 * pagesOf(mkey, address, length))];
    MemoryResult found = translate(mkey, address, length, writes, pieces);
    long done = 0;
    for (int i = 0; found == MemoryResult.DONE && done < length; i += 2) {
      int status = writes ? bus.write(pieces[i], data, done, pieces[i + 1]) : bus.read(pieces[i], data, done, pieces[i + 1]);
      found = status == BusMaster.OK ? MemoryResult.DONE : MemoryResult.FAILED;
      done += pieces[i + 1];
    }
    return found;
  }

  private static long pagesOf(Mkey mkey, long address, long length) {
    long page = 1L << mkey.logPage;
    return mkey.physical ? 1 : ((address & (page - 1)) + length + page - 1) / page;
  }

  /** Find where every byte of an access lies, or that some page is absent. */
  private MemoryResult translate(Mkey mkey, long address, long length, boolean writes, long[] pieces) {
    if (mkey.physical) {
      pieces[0] = address;
      pieces[1] = length;
      return MemoryResult.DONE;
    }
    long page = 1L << mkey.logPage;
    long done = 0;
    for (int i = 0; done < length; i += 2) {
      long at = address + done;
      long index = (at - (mkey.start & -page)) >>> mkey.logPage;
      if (bus.read(mkey.table + index * MttLayout.SIZE, entry, 0, MttLayout.SIZE) != BusMaster.OK) {
        return MemoryResult.FAILED;
      }
      long mtt = MttLayout.ENTRY.get(entry, 0);
      long wanted = writes ? MttLayout.READ | MttLayout.WRITE : MttLayout.READ;
      if (mkey.faults && (mtt & wanted) != wanted) {
        faultKey = mkey.key;
        faultAddress = at;
        faultLength = length - done;
        return MemoryResult.FAULT;
      }
      pieces[i] = (mtt & MttLayout.ADDRESS) + (at & (page - 1));
      pieces[i + 1] = Math.min(length - done, page - (at & (page - 1)));
      done += pieces[i + 1];
    }
    return MemoryResult.DONE;
  }

  /** Replace eight bytes at once, of the host's order; the machine's lock keeps everyone else away. */
  MemoryResult atomic(int domain, int key, long address, boolean compared, long compare, long swapOrAdd, long[] original) {
    MemorySegment word = MemorySegment.ofArray(new byte[(int) ATOMIC]);
    Mkey mkey = find(domain, key, address, ATOMIC, MkeyLayout.ATOMIC);
    if (mkey == null) {
      return MemoryResult.DENIED;
    }
    long[] pieces = new long[2];
    MemoryResult found = translate(mkey, address, ATOMIC, true, pieces);
    if (found != MemoryResult.DONE) {
      return found;
    }
    if (bus.read(pieces[0], word, 0, ATOMIC) != BusMaster.OK) {
      return MemoryResult.FAILED;
    }
    original[0] = HostOrder.get(word);
    if (compared && original[0] != compare) {
      return MemoryResult.DONE;
    }
    HostOrder.set(word, compared ? swapOrAdd : original[0] + swapOrAdd);
    return bus.write(pieces[0], word, 0, ATOMIC) == BusMaster.OK ? MemoryResult.DONE : MemoryResult.FAILED;
  }
}
