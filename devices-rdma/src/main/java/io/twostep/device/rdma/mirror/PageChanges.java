package io.twostep.device.rdma.mirror;

/** What befalls pages: to lose contents, to move, to be swapped out, shared or pinned. Called under the process's lock for writing. */
final class PageChanges {
  private final FramePool pool;
  private final SwapStore swap;
  private long moved;
  private long swapped;

  PageChanges(FramePool pool, SwapStore swap) {
    this.pool = pool;
    this.swap = swap;
  }

  void drop(Mapping mapping, long from, long to, FrameList freed) {
    int last = mapping.index(to - 1);
    for (int i = mapping.index(from); i <= last; i++) {
      long pte = mapping.ptes[i];
      mapping.ptes[i] = 0;
      if (Pte.has(pte, Pte.PRESENT)) {
        freed.add(Pte.frame(pte));
      }
      if (Pte.has(pte, Pte.SLOT)) {
        swap.release(Pte.slot(pte));
      }
    }
  }

  void protect(Mapping mapping, boolean writable) {
    mapping.writable = writable;
    if (!writable) {
      for (int i = 0; i < mapping.ptes.length; i++) {
        mapping.ptes[i] &= ~Pte.WRITE;
      }
    }
  }

  void migrate(Mapping mapping, long from, long to, FrameList freed) {
    int last = mapping.index(to - 1);
    for (int i = mapping.index(from); i <= last; i++) {
      long pte = mapping.ptes[i];
      if (!isMovable(pte)) {
        continue;
      }
      int frame = pool.take(mapping.huge);
      if (frame == FramePool.NONE) {
        return;
      }
      pool.copy(Pte.frame(pte), frame, mapping.huge);
      freed.add(Pte.frame(pte));
      mapping.ptes[i] = Pte.withFrame(pte, frame);
      moved++;
    }
  }

  private boolean isMovable(long pte) {
    return Pte.has(pte, Pte.PRESENT) && pool.isExclusive(Pte.frame(pte)) && !pool.isPinned(Pte.frame(pte));
  }

  void swapOut(Mapping mapping, long from, long to, FrameList freed) {
    if (mapping.huge) {
      return;
    }
    int last = mapping.index(to - 1);
    for (int i = mapping.index(from); i <= last; i++) {
      long pte = mapping.ptes[i];
      if (Pte.has(pte, Pte.PRESENT) && !pool.isPinned(Pte.frame(pte))) {
        freed.add(Pte.frame(pte));
        mapping.ptes[i] = Pte.absent(stored(pte));
        swapped++;
      }
    }
  }

  /** Return the entry with a slot that holds what the page holds, or none if that is zeros. */
  private long stored(long pte) {
    int frame = Pte.frame(pte);
    if (frame == pool.zeroFrame() || (Pte.has(pte, Pte.SLOT) && !Pte.has(pte, Pte.DIRTY))) {
      return pte;
    }
    if (Pte.has(pte, Pte.SLOT)) {
      swap.release(Pte.slot(pte));
    }
    return Pte.withSlot(pte, swap.put(pool.segment(frame), pool.offsetInChunk(frame)));
  }

  void quarantine(Mapping mapping, long from, long to) {
    int last = mapping.index(to - 1);
    for (int i = mapping.index(from); i <= last; i++) {
      if (Pte.has(mapping.ptes[i], Pte.PRESENT)) {
        pool.quarantine(Pte.frame(mapping.ptes[i]));
      }
    }
  }

  void markDirty(Mapping mapping, long from, long to) {
    int last = mapping.index(to - 1);
    for (int i = mapping.index(from); i <= last; i++) {
      if (Pte.has(mapping.ptes[i], Pte.PRESENT | Pte.WRITE)) {
        mapping.ptes[i] |= Pte.DIRTY;
      }
    }
  }

  /**
   * Return a mapping for a child that shares the pages of this one, none of which anybody may write any more as it is; pinned pages are copied, because devices go on
   * writing them.
   */
  Mapping share(Mapping mapping) {
    Mapping twin = mapping.part(mapping.start, mapping.end);
    for (int i = 0; i < mapping.ptes.length; i++) {
      long pte = mapping.ptes[i];
      if (Pte.has(pte, Pte.PRESENT)) {
        if (pool.isPinned(Pte.frame(pte))) {
          twin.ptes[i] = copyOf(mapping, i, twin);
          continue;
        }
        pool.share(Pte.frame(pte));
        mapping.ptes[i] = pte & ~Pte.WRITE;
        twin.ptes[i] = pte & ~Pte.WRITE;
      }
      if (Pte.has(pte, Pte.SLOT)) {
        swap.share(Pte.slot(pte));
      }
    }
    return twin;
  }

  private long copyOf(Mapping mapping, int i, Mapping twin) {
    int frame = pool.take(mapping.huge);
    if (frame == FramePool.NONE) {
      undoShare(twin, i);
      throw new PageFaultException(
          PageFaultException.Kind.NO_FRAMES,
          "page at 0x" + Long.toHexString(mapping.start + ((long) i << mapping.pageShift)) + " is pinned and no frame is left for the child's copy");
    }
    long pte = mapping.ptes[i];
    pool.copy(Pte.frame(pte), frame, mapping.huge);
    return Pte.withFrame(Pte.withoutSlot(pte), frame) | Pte.DIRTY;
  }

  private void undoShare(Mapping twin, int count) {
    if (count > 0) {
      FrameList freed = new FrameList();
      drop(twin, twin.start, twin.start + ((long) count << twin.pageShift), freed);
      freed.release(pool);
    }
  }

  /** Pin pages up to the first that is no longer as wanted; returns it. */
  long pin(MappingTable mappings, long from, long end, Level level, PinnedPages pinned) {
    long at = from;
    while (at < end) {
      Mapping mapping = mappings.find(at);
      if (mapping == null || !level.isMetBy(mapping.pte(at), pool)) {
        return at;
      }
      long next = Math.min(end, mapping.nextPage(at));
      pinned.add(Pte.frame(mapping.pte(at)), at & (mapping.pageSize() - 1), next - at);
      at = next;
    }
    return at;
  }

  long moved() {
    return moved;
  }

  long swapped() {
    return swapped;
  }
}
