package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.MemoryResult;
import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The way from keys and addresses to memory: checks the keys, goes through their entries, and moves bytes only when every page of the access is there. */
final class Translator {
  private static final int INDEX_SHIFT = 8;
  private static final int LOW = 32;
  private static final long ATOMIC = 8;

  /** How often a key may lead to another. */
  private static final int DEEPEST = 4;

  /** Index 0 would make the key that is none, 1 the one that ends a receive's list. */
  private static final int FIRST_INDEX = 2;

  private final BusMaster bus;
  private final Map<Integer, Mkey> keys = new HashMap<>();
  private final Pieces pieces = new Pieces();
  private final ArrayDeque<Integer> freeIndices = new ArrayDeque<>();
  private int nextIndex = FIRST_INDEX;

  private @Nullable PageFault fault;

  Translator(BusMaster bus) {
    this.bus = bus;
  }

  void clear() {
    keys.clear();
    freeIndices.clear();
    nextIndex = FIRST_INDEX;
  }

  /** Return an index that no key has: that of the key destroyed last, if one was. */
  int newIndex() {
    Integer free = freeIndices.pollLast();
    return free != null ? free : nextIndex++;
  }

  void add(Mkey key) {
    keys.put(key.key >>> INDEX_SHIFT, key);
  }

  /** Forget a key; false if there is none. */
  boolean remove(int key) {
    boolean found = keys.remove(key >>> INDEX_SHIFT) != null;
    if (found) {
      freeIndices.addLast(key >>> INDEX_SHIFT);
    }
    return found;
  }

  /** Return the key with the index of {@code key}, valid or not. */
  @Nullable Mkey withIndexOf(int key) {
    return keys.get(key >>> INDEX_SHIFT);
  }

  boolean isUsed(int domain) {
    return keys.values().stream().anyMatch(key -> key.domain == domain);
  }

  /** Return the fault that was met last. */
  PageFault fault() {
    return Objects.requireNonNull(fault);
  }

  /** Tell whether a key permits an access; absent pages do not matter. */
  boolean permits(int domain, int key, long address, long length, Bits right) {
    return find(domain, key, address, length, right) != null;
  }

  /** Make a key useless, for a peer; false if it may not. */
  boolean invalidate(int domain, int key) {
    Mkey mkey = withIndexOf(key);
    if (mkey == null || mkey.key != key || mkey.isFree() || mkey.domain != domain || !mkey.remoteInvalidate) {
      return false;
    }
    mkey.free();
    return true;
  }

  private @Nullable Mkey find(int domain, int key, long address, long length, Bits right) {
    Mkey mkey = withIndexOf(key);
    boolean allowed =
        mkey != null && mkey.key == key && !mkey.isFree() && mkey.domain == domain && right.isSet(mkey.access) && mkey.covers(address, length);
    return allowed ? mkey : null;
  }

  /** Load bytes, of a request that goes on to {@code ahead} bytes from {@code address} on. */
  MemoryResult read(int domain, int key, long address, MemorySegment target, long ahead, Bits right) {
    return access(domain, key, address, target, ahead, right, false);
  }

  /** Store bytes, of a request that goes on to {@code ahead} bytes from {@code address} on. */
  MemoryResult write(int domain, int key, long address, MemorySegment source, long ahead, Bits right) {
    return access(domain, key, address, source, ahead, right, true);
  }

  private MemoryResult access(int domain, int key, long address, MemorySegment data, long ahead, Bits right, boolean writes) {
    pieces.clear();
    MemoryResult found = translate(domain, key, address, data.byteSize(), ahead, right, writes, 0);
    long done = 0;
    for (int i = 0; found == MemoryResult.DONE && i < pieces.count(); i++) {
      long length = pieces.length(i);
      int status = writes ? bus.write(pieces.address(i), data, done, length) : bus.read(pieces.address(i), data, done, length);
      found = status == BusMaster.OK ? MemoryResult.DONE : MemoryResult.FAILED;
      done += length;
    }
    return found;
  }

  /** Find where every byte of an access lies, or that some page is absent. */
  private MemoryResult translate(int domain, int key, long address, long length, long ahead, Bits right, boolean writes, int depth) {
    Mkey mkey = find(domain, key, address, length, right);
    if (mkey == null || depth > DEEPEST) {
      return MemoryResult.DENIED;
    }
    return switch (mkey.mode) {
      case MkeyLayout.MODE_PHYSICAL -> {
        pieces.add(address, length);
        yield MemoryResult.DONE;
      }
      case MkeyLayout.MODE_TABLE -> throughPages(mkey, address, length, ahead, writes);
      case MkeyLayout.MODE_PIECES -> throughPieces(mkey, address, length, ahead, right, writes, depth);
      default -> throughEqualPieces(mkey, address, length, ahead, right, writes, depth);
    };
  }

  private MemoryResult throughPages(Mkey mkey, long address, long length, long ahead, boolean writes) {
    long page = 1L << mkey.logPage;
    long wanted = writes ? MttLayout.READ | MttLayout.WRITE : MttLayout.READ;
    for (long done = 0; done < length; ) {
      long at = address + done;
      long mtt = mkey.entries.get((at - (mkey.start & -page)) >>> mkey.logPage);
      if (mkey.faults && (mtt & wanted) != wanted) {
        return fault(mkey, at, length - done, ahead - done);
      }
      long inPage = at & (page - 1);
      long bytes = Math.min(length - done, page - inPage);
      pieces.add((mtt & MttLayout.ADDRESS) + inPage, bytes);
      done += bytes;
    }
    return MemoryResult.DONE;
  }

  private MemoryResult throughPieces(Mkey mkey, long address, long length, long ahead, Bits right, boolean writes, int depth) {
    long skip = address - mkey.start;
    long done = 0;
    for (long i = 0; done < length; i++) {
      if (2 * i >= mkey.entries.capacity()) {
        return MemoryResult.DENIED;
      }
      long first = mkey.entries.get(2 * i);
      long size = first >>> LOW;
      if (skip >= size) {
        skip -= size;
        continue;
      }
      long bytes = Math.min(length - done, size - skip);
      long bytesAhead = Math.min(ahead - done, size - skip);
      MemoryResult found = translate(mkey.domain, (int) first, mkey.entries.get(2 * i + 1) + skip, bytes, bytesAhead, right, writes, depth + 1);
      if (found != MemoryResult.DONE) {
        return found;
      }
      done += bytes;
      skip = 0;
    }
    return MemoryResult.DONE;
  }

  private MemoryResult throughEqualPieces(Mkey mkey, long address, long length, long ahead, Bits right, boolean writes, int depth) {
    long size = 1L << mkey.logPage;
    for (long done = 0; done < length; ) {
      long offset = address + done - (mkey.start & -size);
      long index = offset >>> mkey.logPage;
      long inPiece = offset & (size - 1);
      long bytes = Math.min(length - done, size - inPiece);
      int next = (int) mkey.entries.get(2 * index);
      if (next == 0 && mkey.faults) {
        return fault(mkey, address + done, length - done, ahead - done);
      }
      long bytesAhead = Math.min(ahead - done, size - inPiece);
      MemoryResult found = translate(mkey.domain, next, mkey.entries.get(2 * index + 1) + inPiece, bytes, bytesAhead, right, writes, depth + 1);
      if (found != MemoryResult.DONE) {
        return found;
      }
      done += bytes;
    }
    return MemoryResult.DONE;
  }

  private MemoryResult fault(Mkey mkey, long address, long demanded, long ahead) {
    fault = new PageFault(mkey.key, address, demanded, Math.max(demanded, Math.min(ahead, mkey.left(address))));
    return MemoryResult.FAULT;
  }

  /** Replace eight bytes at once, of the host's order; the machine's lock keeps everyone else away. Pieces of other keys may put them where no processor replaces eight at once: refused. */
  MemoryResult atomic(int domain, int key, long address, boolean compared, long compare, long swapOrAdd, long[] original) {
    MemorySegment word = MemorySegment.ofArray(new byte[(int) ATOMIC]);
    pieces.clear();
    MemoryResult found = translate(domain, key, address, ATOMIC, ATOMIC, MkeyLayout.ATOMIC, true, 0);
    if (found != MemoryResult.DONE) {
      return found;
    }
    boolean whole = pieces.count() == 1 && (pieces.address(0) & (ATOMIC - 1)) == 0;
    if (!whole || bus.read(pieces.address(0), word, 0, ATOMIC) != BusMaster.OK) {
      return MemoryResult.FAILED;
    }
    original[0] = HostOrder.get(word);
    if (compared && original[0] != compare) {
      return MemoryResult.DONE;
    }
    HostOrder.set(word, compared ? swapOrAdd : original[0] + swapOrAdd);
    return bus.write(pieces.address(0), word, 0, ATOMIC) == BusMaster.OK ? MemoryResult.DONE : MemoryResult.FAILED;
  }
}
