package io.twostep.machine.model.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The segments that blocks are seen through, and when they end: before the storage is unmapped, so that no live segment points to nothing. Thread-safe. */
final class BlockViews {
  private final Storage storage;
  private final Set<Arena> arenas = Collections.newSetFromMap(new IdentityHashMap<>());
  private volatile boolean ended;

  BlockViews(Storage storage) {
    this.storage = storage;
  }

  /** Return a slice of the storage, with a lifetime of its own if {@code arena} is there. */
  MemorySegment make(long offset, long length, @Nullable Arena arena) {
    synchronized (arenas) {
      if (ended) {
        throw new IllegalStateException("machine model is closed");
      }
      MemorySegment slice = storage.all().asSlice(offset, length);
      if (arena == null) {
        return slice;
      }
      arenas.add(arena);
      return NativeAccess.bind(slice, arena);
    }
  }

  void close(Arena arena) {
    synchronized (arenas) {
      if (arenas.contains(arena)) {
        arena.close();
        arenas.remove(arena);
      }
    }
  }

  /** Tell whether all is over. */
  boolean isEnded() {
    return ended;
  }

  /** End all segments and unmap the storage; may be repeated, also after a segment that native code uses kept it from ending. */
  void end() {
    synchronized (arenas) {
      if (!ended) {
        for (Arena arena : List.copyOf(arenas)) {
          arena.close();
          arenas.remove(arena);
        }
        ended = true;
        storage.close();
      }
    }
  }
}
