package io.twostep.backend.iommu.iova;

import java.util.Arrays;

/**
 * Store the nodes and leaves of the free tree in primitive arrays that grow by doubling and are never given back.
 *
 * <p>A node describes eight children of equal span in two words of eight bytes, child 0 in the lowest byte:
 *
 * <pre>
 *   largest   the code of the largest range that fits into the child, naturally aligned
 *   prefix    the code of the free run at the beginning of the child
 * </pre>
 *
 * A child that is wholly free or wholly occupied is told by its {@code largest} byte alone; only other children have
 * storage of their own, a node or (under the lowest nodes) a {@linkplain Leaf leaf}.
 */
final class FreeNodes {
  /** The order of the number of children. */
  static final int FANOUT_ORDER = 3;

  static final int FANOUT = 1 << FANOUT_ORDER;

  private static final long EVERY_BYTE = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final int NONE = -1;

  private long[] largest = new long[16];
  private long[] prefix = new long[16];
  private int[] children = new int[16 * FANOUT];
  private int nodes;
  private int freeNode = NONE;

  private long[] leaves = new long[64];
  private int leafCount;
  private int freeLeaf = NONE;

  /** Join the two codes that describe one child. */
  static int summary(int largest, int prefix) {
    return largest | (prefix << 8);
  }

  static int largestOf(int summary) {
    return summary & 0xff;
  }

  int addNode(boolean free, int shift) {
    int node = freeNode;
    if (node != NONE) {
      freeNode = children[node * FANOUT];
    } else {
      node = nodes++;
      if (node == largest.length) {
        largest = Arrays.copyOf(largest, node * 2);
        prefix = Arrays.copyOf(prefix, node * 2);
        children = Arrays.copyOf(children, node * 2 * FANOUT);
      }
    }
    long word = free ? RangeSize.powerCode(shift) * EVERY_BYTE : 0;
    largest[node] = word;
    prefix[node] = word;
    return node;
  }

  int addLeaf(boolean free) {
    int leaf = freeLeaf;
    if (leaf != NONE) {
      freeLeaf = (int) leaves[leaf];
    } else {
      leaf = leafCount++;
      if (leaf == leaves.length) {
        leaves = Arrays.copyOf(leaves, leaf * 2);
      }
    }
    leaves[leaf] = free ? -1L : 0L;
    return leaf;
  }

  void removeNode(int node) {
    children[node * FANOUT] = freeNode;
    freeNode = node;
  }

  void removeLeaf(int leaf) {
    leaves[leaf] = freeLeaf;
    freeLeaf = leaf;
  }

  long leaf(int leaf) {
    return leaves[leaf];
  }

  void setLeaf(int leaf, long free) {
    leaves[leaf] = free;
  }

  int child(int node, int index) {
    return children[node * FANOUT + index];
  }

  void setChild(int node, int index, int child) {
    children[node * FANOUT + index] = child;
  }

  int largest(int node, int index) {
    return (int) (largest[node] >>> (index * 8)) & 0xff;
  }

  int prefix(int node, int index) {
    return (int) (prefix[node] >>> (index * 8)) & 0xff;
  }

  int summaryOf(int node, int index) {
    return summary(largest(node, index), prefix(node, index));
  }

  void setSummary(int node, int index, int summary) {
    int bit = index * 8;
    long keep = ~(0xffL << bit);
    largest[node] = (largest[node] & keep) | ((long) largestOf(summary) << bit);
    prefix[node] = (prefix[node] & keep) | ((long) (summary >>> 8) << bit);
  }

  /** Mark the children from {@code first} to {@code last}, both included, wholly free or wholly occupied. */
  void setWhole(int node, int first, int last, boolean free, int shift) {
    long bytes = (-1L >>> ((FANOUT - 1 - (last - first)) * 8)) << (first * 8);
    long word = free ? (RangeSize.powerCode(shift) * EVERY_BYTE) & bytes : 0;
    largest[node] = (largest[node] & ~bytes) | word;
    prefix[node] = (prefix[node] & ~bytes) | word;
  }

  /** Find the children whose {@code largest} is at least {@code code}: the high bit of each such byte is set. */
  long atLeast(int node, int code) {
    long value = largest[node];
    long wanted = code * EVERY_BYTE;
    long lowPart = (value | HIGH_BITS) - (wanted & ~HIGH_BITS);
    return ((value & ~wanted) | (~(value ^ wanted) & lowPart)) & HIGH_BITS;
  }

  /** Find the wholly free children as a mask of eight bits. */
  int wholes(int node, int shift) {
    // Nothing in a child exceeds its span, so "at least the span" is "all of it"; the product gathers one bit per byte.
    return (int) (((atLeast(node, RangeSize.powerCode(shift)) >>> 7) * 0x0102040810204080L) >>> 56);
  }

  /** Compute what the parent should know about a node whose children span 2^shift granules each. */
  int summarise(int node, int shift) {
    int wholes = wholes(node, shift);
    if ((wholes & 0b01010101) == 0) {
      return summary(largestByte(largest[node]), prefix(node, 0));
    }
    int prefix = prefixFrom(node, shift, wholes, 0, FANOUT);
    int best = prefix;
    best = Math.max(best, prefixFrom(node, shift, wholes, 2, 2));
    best = Math.max(best, prefixFrom(node, shift, wholes, 4, 4));
    best = Math.max(best, prefixFrom(node, shift, wholes, 6, 2));
    return summary(best, prefix);
  }

  private int prefixFrom(int node, int shift, int wholes, int index, int most) {
    int run = Integer.numberOfTrailingZeros(~(wholes >>> index));
    if (run == 0) {
      return prefix(node, index);
    }
    if (run >= most) {
      return RangeSize.floorCode((long) most << shift);
    }
    return RangeSize.floorCode(((long) run << shift) + RangeSize.ofCode(prefix(node, index + run)));
  }

  /** Compare in pairs, without a branch that depends on the data. */
  private static int largestByte(long bytes) {
    int low = (int) bytes;
    int high = (int) (bytes >>> 32);
    return Math.max(largestOfFour(low), largestOfFour(high));
  }

  private static int largestOfFour(int bytes) {
    return Math.max(
        Math.max(bytes & 0xff, (bytes >>> 8) & 0xff), Math.max((bytes >>> 16) & 0xff, bytes >>> 24));
  }
}
