package io.twostep.device.rdma.mirror;

import io.twostep.device.rdma.mirror.PageFaultException.Kind;
import java.util.Locale;

/** Brings pages to where an access needs them. Called under the process's lock for writing. */
final class PageFaults {
  private static final int MOST_COPIES_AT_ONCE = 512;

  private final String process;
  private final FramePool pool;
  private final SwapStore swap;
  private final MappingTable mappings;
  private long faulted;
  private long copied;

  PageFaults(String process, FramePool pool, SwapStore swap, MappingTable mappings) {
    this.process = process;
    this.pool = pool;
    this.swap = swap;
    this.mappings = mappings;
  }

  /** Bring pages to a level; returns the first that has to be copied before, or {@code end}. */
  long populate(long va, long end, Level level) {
    long at = va;
    while (at < end) {
      Mapping mapping = mappingFor(at, level);
      long stop = Math.min(end, mapping.backedEnd);
      for (; at < stop; at = mapping.nextPage(at)) {
        int i = mapping.index(at);
        if (!level.isMetBy(mapping.ptes[i], pool) && !tryMeet(mapping, i, level)) {
          return at;
        }
      }
    }
    return end;
  }

  /** Return the mapping of a page that may be accessed at a level. */
  private Mapping mappingFor(long va, Level level) {
    Mapping mapping = mappings.find(va);
    if (mapping == null) {
      throw refused(Kind.NOT_MAPPED, va, "nothing is mapped there");
    }
    if (va >= mapping.backedEnd) {
      throw refused(Kind.NO_BACKING, va, "the mapping is truncated at 0x" + Long.toHexString(mapping.backedEnd));
    }
    if (level == Level.WRITE && !mapping.writable) {
      throw refused(Kind.READ_ONLY, va, "the process may only read there");
    }
    return mapping;
  }

  private boolean tryMeet(Mapping mapping, int i, Level level) {
    long pte = mapping.ptes[i];
    if (!Pte.has(pte, Pte.PRESENT)) {
      pte = bringIn(mapping, i, level);
    }
    if (level == Level.READ) {
      return true;
    }
    if (!pool.isExclusive(Pte.frame(pte))) {
      return false;
    }
    if (level == Level.WRITE) {
      mapping.ptes[i] = pte | Pte.WRITE | Pte.DIRTY;
    }
    return true;
  }

  private long bringIn(Mapping mapping, int i, Level level) {
    long pte = mapping.ptes[i];
    faulted++;
    if (!Pte.has(pte, Pte.SLOT) && level == Level.READ && !mapping.huge) {
      pte = Pte.withFrame(pte, pool.zeroFrame());
    } else {
      pte = Pte.withFrame(pte, filledFrame(mapping, i)) | (mapping.writable ? Pte.WRITE : 0);
    }
    mapping.ptes[i] = pte;
    return pte;
  }

  /** Return a new frame with the contents of a page that is not in memory. */
  private int filledFrame(Mapping mapping, int i) {
    long pte = mapping.ptes[i];
    int frame = take(mapping, i);
    if (Pte.has(pte, Pte.SLOT)) {
      swap.get(Pte.slot(pte), pool.segment(frame), pool.offsetInChunk(frame));
    } else {
      pool.zero(frame);
    }
    return frame;
  }

  /** Return where the page of {@code va} starts. */
  long pageStart(long va) {
    Mapping mapping = mappings.find(va);
    return mapping == null ? va : va & -mapping.pageSize();
  }

  /** Return where a stretch of whole pages ends, from that of {@code va} on, that all have to be copied for an access. */
  long sharedEnd(long va, long end, Level level) {
    Mapping mapping = mappings.find(va);
    if (mapping == null) {
      return va;
    }
    long at = va & -mapping.pageSize();
    long stop = Math.min(Math.min(end, mapping.end), va + ((long) MOST_COPIES_AT_ONCE << mapping.pageShift));
    while (at < stop && needsCopy(mapping.pte(at), level)) {
      at = mapping.nextPage(at);
    }
    return at;
  }

  private boolean needsCopy(long pte, Level level) {
    return Pte.has(pte, Pte.PRESENT) && level != Level.READ && !level.isMetBy(pte, pool) && !pool.isExclusive(Pte.frame(pte));
  }

  /** Give a page a frame of its own, if it still needs one; its share of the old one goes to {@code freed}. */
  void copyShared(Mapping mapping, int i, Level level, FrameList freed) {
    long pte = mapping.ptes[i];
    if (!needsCopy(pte, level)) {
      return;
    }
    int frame = take(mapping, i);
    pool.copy(Pte.frame(pte), frame, mapping.huge);
    freed.add(Pte.frame(pte));
    if (Pte.has(pte, Pte.SLOT)) {
      swap.release(Pte.slot(pte));
    }
    mapping.ptes[i] = Pte.withFrame(Pte.withoutSlot(pte), frame) | Pte.DIRTY | (mapping.writable ? Pte.WRITE : 0);
    copied++;
  }

  private int take(Mapping mapping, int i) {
    int frame = pool.take(mapping.huge);
    if (frame == FramePool.NONE) {
      throw refused(
          Kind.NO_FRAMES,
          mapping.start + ((long) i << mapping.pageShift),
          "no " + (mapping.huge ? "huge" : "small") + " frame is left; make the pool larger or swap pages out");
    }
    return frame;
  }

  private PageFaultException refused(Kind kind, long va, String why) {
    return new PageFaultException(kind, String.format(Locale.ROOT, "%s: page at 0x%x: %s", process, va, why));
  }

  long faulted() {
    return faulted;
  }

  long copied() {
    return copied;
  }
}
