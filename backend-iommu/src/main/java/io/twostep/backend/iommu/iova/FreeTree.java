package io.twostep.backend.iommu.iova;

/**
 * Find, take and give back ranges of granules, highest address first.
 *
 * <p>A radix tree over the whole space whose nodes know, for every child, the largest naturally aligned range that
 * fits into it and the free run at its beginning. Both are exact for the {@linkplain RangeSize steps} that requests
 * are rounded to, so a search descends once and an update climbs until nothing changes: the depth depends on the width
 * of the space alone, never on how many ranges live or how they are scattered.
 *
 * <p>Not thread-safe. Allocates memory only while it grows beyond what it held before.
 */
final class FreeTree {
  /** The answer of a search that found nothing. */
  static final long NONE = -1;

  private static final int ROOT = 0;
  private static final int STEP = FreeNodes.FANOUT_ORDER;

  private final FreeNodes nodes = new FreeNodes();
  private final int rootShift;
  /** The nodes from the root to where the last search or update ended, and how many steps that is. */
  private final int[] path;

  private int pathDepth;

  /** Create a tree over {@code [0, granules)} in which everything is occupied. */
  FreeTree(long granules) {
    int shift = Leaf.ORDER;
    int depth = 1;
    while (shift + STEP < Long.SIZE - 1 && granules > 1L << (shift + STEP)) {
      shift += STEP;
      depth++;
    }
    rootShift = shift;
    path = new int[depth];
    nodes.addNode(false, shift);
  }

  /**
   * Take the highest free range of a rounded size that is aligned to 2^alignOrder and starts at or below {@code
   * highestStart}.
   *
   * <p>An alignment above the natural one takes the beginning of a wholly free aligned block; only when there is none
   * left does it look into partly used blocks, one by one.
   *
   * @return the first granule, or {@link #NONE} when there is no such range; then nothing has changed
   */
  long take(long size, int alignOrder, long highestStart) {
    if (highestStart < 0) {
      return NONE;
    }
    int order = RangeSize.order(size);
    long start =
        alignOrder <= order ? find(size, order, highestStart) : findAligned(size, alignOrder, highestStart);
    if (start != NONE) {
      setBelow(pathDepth, start, start + size, false);
    }
    return start;
  }

  /**
   * Take the highest free range of 2^order granules (at most 32), and with it others that lie in the same leaf.
   *
   * <p>The others are just what the next calls would have returned.
   *
   * @param starts receives the ranges, highest first
   * @param most how many to take at most
   * @return how many were taken; 0 when there is no such range
   */
  int takeSome(int order, long highestStart, long[] starts, int most) {
    long first = highestStart < 0 ? NONE : find(1L << order, order, highestStart);
    if (first == NONE) {
      return 0;
    }
    int depth = openLeaf(first);
    int index = (int) (first >>> Leaf.ORDER) & 7;
    int leaf = nodes.child(path[depth], index);
    long base = first & -(1L << Leaf.ORDER);
    long free = nodes.leaf(leaf);
    int taken = 0;
    for (int start = (int) (first - base); start >= 0 && taken < most; ) {
      free &= ~Leaf.mask(start, start + (1 << order));
      starts[taken++] = base + start;
      start = Leaf.find(free, 1 << order, order, start);
    }
    nodes.setLeaf(leaf, free);
    store(path[depth], Leaf.ORDER, index, Leaf.summarise(free));
    climb(depth, Leaf.ORDER, first);
    return taken;
  }

  /** Go on from the end of the path to the leaf of a granule, making what is missing. */
  private int openLeaf(long granule) {
    int depth = pathDepth;
    int node = path[depth];
    for (int shift = rootShift - depth * STEP; shift > Leaf.ORDER; shift -= STEP) {
      node = open(node, shift, (int) (granule >>> shift) & 7);
      path[++depth] = node;
    }
    open(node, Leaf.ORDER, (int) (granule >>> Leaf.ORDER) & 7);
    return depth;
  }

  /** Make {@code [from, to)} free. */
  void free(long from, long to) {
    set(from, to, true);
  }

  /** Make {@code [from, to)} occupied, whatever it was. */
  void occupy(long from, long to) {
    set(from, to, false);
  }

  /** Tell whether all of {@code [from, to)} is free. */
  boolean isFree(long from, long to) {
    return isFree(ROOT, rootShift, from, to);
  }

  private boolean isFree(int node, int shift, long from, long to) {
    for (long at = from; at < to; ) {
      int index = (int) (at >>> shift) & 7;
      long end = Math.min(to, ((at >>> shift) + 1) << shift);
      int largest = nodes.largest(node, index);
      if (largest == 0) {
        return false;
      }
      if (largest != RangeSize.powerCode(shift)) {
        int child = nodes.child(node, index);
        if (shift == Leaf.ORDER) {
          long mask = Leaf.mask(at & 63, (at & 63) + (end - at));
          if ((nodes.leaf(child) & mask) != mask) {
            return false;
          }
        } else if (!isFree(child, shift - STEP, at, end)) {
          return false;
        }
      }
      at = end;
    }
    return true;
  }

  /**
   * Descend to the highest range and leave the path to it behind. Only the way along the bound can fail; beside it the
   * summaries are promises.
   */
  private long find(long size, int order, long highestStart) {
    int code = RangeSize.floorCode(size);
    int node = ROOT;
    int shift = rootShift;
    int depth = 0;
    long base = 0;
    long bound = highestStart;
    int resumeNode = ROOT;
    int resumeDepth = 0;
    long resumeBase = 0;
    long resumeFits = 0;
    while (true) {
      path[depth] = node;
      long fits = 0;
      if (order > shift) {
        long start = findGroup(node, shift, size, order, bound);
        if (start != NONE) {
          pathDepth = depth;
          return base + start;
        }
      } else {
        fits = nodes.atLeast(node, code);
        long edge = bound >>> shift;
        if (edge < FreeNodes.FANOUT) {
          long below = fits & ((1L << (edge * 8)) - 1);
          if ((fits >>> (edge * 8) & 0x80) != 0) {
            if (below != 0) {
              resumeNode = node;
              resumeDepth = depth;
              resumeBase = base;
              resumeFits = below;
            }
            fits = 0x80L << (edge * 8);
            bound -= edge << shift;
          } else {
            fits = below;
            bound = Long.MAX_VALUE;
          }
        } else {
          bound = Long.MAX_VALUE;
        }
      }
      while (true) {
        if (fits == 0) {
          if (resumeFits == 0) {
            return NONE;
          }
          node = resumeNode;
          shift += (depth - resumeDepth) * STEP;
          depth = resumeDepth;
          base = resumeBase;
          fits = resumeFits;
          bound = Long.MAX_VALUE;
          resumeFits = 0;
        }
        int index = (Long.SIZE - 1 - Long.numberOfLeadingZeros(fits)) >>> 3;
        long childBase = base + ((long) index << shift);
        if (nodes.largest(node, index) == RangeSize.powerCode(shift)) {
          pathDepth = depth;
          return childBase + (Math.min(bound, (1L << shift) - 1) & -(1L << order));
        }
        int child = nodes.child(node, index);
        if (shift > Leaf.ORDER) {
          node = child;
          shift -= STEP;
          depth++;
          base = childBase;
          break;
        }
        int start = Leaf.find(nodes.leaf(child), (int) size, order, bound);
        if (start >= 0) {
          pathDepth = depth;
          return childBase + start;
        }
        fits = 0;
      }
    }
  }

  /** Find an aligned run of several children of one node; the last of them may be free at its beginning only. */
  private long findGroup(int node, int shift, long size, int order, long highestStart) {
    int stride = 1 << (order - shift);
    int index = (int) Math.min(highestStart >>> shift, FreeNodes.FANOUT - 1) & -stride;
    int wholes = nodes.wholes(node, shift);
    for (; index >= 0; index -= stride) {
      if (hasPrefix(node, shift, wholes, index, size)) {
        return (long) index << shift;
      }
    }
    return NONE;
  }

  private boolean hasPrefix(int node, int shift, int wholes, int index, long size) {
    int count = (int) (size >>> shift);
    int needed = (1 << count) - 1;
    if (((wholes >>> index) & needed) != needed) {
      return false;
    }
    long rest = size - ((long) count << shift);
    return rest == 0 || nodes.prefix(node, index + count) >= RangeSize.floorCode(rest);
  }

  private long findAligned(long size, int alignOrder, long highestStart) {
    if (alignOrder > rootShift + STEP) {
      return NONE;
    }
    long start = find(1L << alignOrder, alignOrder, highestStart);
    if (start != NONE) {
      return start;
    }
    path[0] = ROOT;
    pathDepth = 0;
    return searchAligned(ROOT, rootShift, 0, size, alignOrder, highestStart);
  }

  private long searchAligned(int node, int shift, long base, long size, int alignOrder, long highestStart) {
    int stride = alignOrder > shift ? 1 << (alignOrder - shift) : 1;
    int wholes = nodes.wholes(node, shift);
    int code = RangeSize.floorCode(size);
    long highestIndex = Math.min((highestStart - base) >>> shift, FreeNodes.FANOUT - 1);
    for (int index = (int) highestIndex & -stride; index >= 0; index -= stride) {
      long childBase = base + ((long) index << shift);
      if (alignOrder >= shift) {
        if (hasPrefix(node, shift, wholes, index, size)) {
          return childBase;
        }
      } else if (nodes.largest(node, index) >= code) {
        // A wholly free child would have held a wholly free aligned block, so this one has storage.
        int child = nodes.child(node, index);
        long start =
            shift > Leaf.ORDER
                ? searchAligned(child, shift - STEP, childBase, size, alignOrder, highestStart)
                : inLeaf(childBase, Leaf.find(nodes.leaf(child), (int) size, alignOrder, highestStart - childBase));
        if (start != NONE) {
          return start;
        }
      }
    }
    return NONE;
  }

  private static long inLeaf(long base, int start) {
    return start < 0 ? NONE : base + start;
  }

  private void set(long from, long to, boolean free) {
    path[0] = ROOT;
    setBelow(0, from, to, free);
  }

  /** Go on along the path to the node that the range begins to divide, change it there, and climb. */
  private void setBelow(int startDepth, long from, long to, boolean free) {
    int depth = startDepth;
    int node = path[depth];
    int shift = rootShift - depth * STEP;
    while (true) {
      path[depth] = node;
      if (((from ^ (to - 1)) >>> shift) != 0 || ((from | to) & ((1L << shift) - 1)) == 0) {
        setChildren(node, shift, from, to, free);
        break;
      }
      int index = (int) (from >>> shift) & 7;
      if (nodes.largest(node, index) == wholeCode(free, shift)) {
        return;
      }
      int child = open(node, shift, index);
      if (shift == Leaf.ORDER) {
        store(node, shift, index, setLeaf(child, from, to, free));
        break;
      }
      node = child;
      shift -= STEP;
      depth++;
    }
    climb(depth, shift, from);
  }

  /** Tell the ancestors about a changed node until one of them learns nothing new. */
  private void climb(int changedDepth, int changedShift, long granule) {
    int shift = changedShift;
    for (int depth = changedDepth; depth > 0; depth--) {
      int summary = nodes.summarise(path[depth], shift);
      shift += STEP;
      int index = (int) (granule >>> shift) & 7;
      if (nodes.summaryOf(path[depth - 1], index) == summary) {
        return;
      }
      store(path[depth - 1], shift, index, summary);
    }
  }

  private void setChildren(int node, int shift, long from, long to, boolean free) {
    long inside = (1L << shift) - 1;
    int first = (int) (from >>> shift) & 7;
    int last = (int) ((to - 1) >>> shift) & 7;
    if ((from & inside) != 0 || (first == last && (to & inside) != 0)) {
      long end = Math.min(to, (from | inside) + 1);
      setPart(node, shift, first, from, end, free);
      first++;
    }
    if (first <= last && (to & inside) != 0) {
      setPart(node, shift, last, to & ~inside, to, free);
      last--;
    }
    if (first <= last) {
      for (int index = first; index <= last; index++) {
        discard(node, shift, index);
      }
      nodes.setWhole(node, first, last, free, shift);
    }
  }

  private void setPart(int node, int shift, int index, long from, long to, boolean free) {
    if (nodes.largest(node, index) == wholeCode(free, shift)) {
      return;
    }
    int child = open(node, shift, index);
    if (shift == Leaf.ORDER) {
      store(node, shift, index, setLeaf(child, from, to, free));
    } else {
      setChildren(child, shift - STEP, from, to, free);
      store(node, shift, index, nodes.summarise(child, shift - STEP));
    }
  }

  private int setLeaf(int leaf, long from, long to, boolean free) {
    long mask = Leaf.mask(from & 63, (from & 63) + (to - from));
    long bits = free ? nodes.leaf(leaf) | mask : nodes.leaf(leaf) & ~mask;
    nodes.setLeaf(leaf, bits);
    return Leaf.summarise(bits);
  }

  /** Give a child storage of its own, if it has none because it is all of one kind. */
  private int open(int node, int shift, int index) {
    int largest = nodes.largest(node, index);
    boolean free = largest == RangeSize.powerCode(shift);
    if (largest != 0 && !free) {
      return nodes.child(node, index);
    }
    int child = shift == Leaf.ORDER ? nodes.addLeaf(free) : nodes.addNode(free, shift - STEP);
    nodes.setChild(node, index, child);
    return child;
  }

  /** Record what a child has become, and drop its storage when it is all of one kind. */
  private void store(int node, int shift, int index, int summary) {
    nodes.setSummary(node, index, summary);
    int largest = FreeNodes.largestOf(summary);
    if (largest == 0 || largest == RangeSize.powerCode(shift)) {
      remove(shift, nodes.child(node, index));
    }
  }

  private void discard(int node, int shift, int index) {
    int largest = nodes.largest(node, index);
    if (largest == 0 || largest == RangeSize.powerCode(shift)) {
      return;
    }
    int child = nodes.child(node, index);
    if (shift > Leaf.ORDER) {
      for (int inner = 0; inner < FreeNodes.FANOUT; inner++) {
        discard(child, shift - STEP, inner);
      }
    }
    remove(shift, child);
  }

  private void remove(int shift, int child) {
    if (shift == Leaf.ORDER) {
      nodes.removeLeaf(child);
    } else {
      nodes.removeNode(child);
    }
  }

  private static int wholeCode(boolean free, int shift) {
    return free ? RangeSize.powerCode(shift) : 0;
  }
}
