package io.twostep.dma;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Knows the open handles of one mapper; touched only when handles are made and ended. */
final class HandleRegistry {
  private final Set<DmaHandle> open = ConcurrentHashMap.newKeySet();
  private final AtomicLong quarantined = new AtomicLong();

  void add(DmaHandle handle) {
    open.add(handle);
  }

  void remove(DmaHandle handle) {
    open.remove(handle);
  }

  int live() {
    int live = 0;
    for (DmaHandle handle : open) {
      if (handle.holdsSomething()) {
        live++;
      }
    }
    return live;
  }

  void addQuarantined(long releases) {
    quarantined.addAndGet(releases);
  }

  long quarantined() {
    return quarantined.get();
  }
}
