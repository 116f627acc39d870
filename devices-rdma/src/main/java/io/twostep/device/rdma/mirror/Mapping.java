package io.twostep.device.rdma.mirror;

import java.util.Arrays;

/** Consecutive pages of a process with one size and one permission, and their page table entries. Guarded by the process's lock. */
final class Mapping {
  final long start;
  final long end;
  final int pageShift;
  final boolean huge;
  final long[] ptes;
  boolean writable;

  /** Pages from here on have no backing. */
  long backedEnd;

  Mapping(long start, long end, int pageShift, boolean huge, boolean writable, long backedEnd, long[] ptes) {
    this.start = start;
    this.end = end;
    this.pageShift = pageShift;
    this.huge = huge;
    this.writable = writable;
    this.backedEnd = backedEnd;
    this.ptes = ptes;
  }

  int index(long va) {
    return (int) ((va - start) >>> pageShift);
  }

  long pte(long va) {
    return ptes[index(va)];
  }

  long pageSize() {
    return 1L << pageShift;
  }

  /** Return where the page behind the one of {@code va} starts. */
  long nextPage(long va) {
    return (va & -pageSize()) + pageSize();
  }

  /** Return a part of it as a mapping of its own, with a copy of the entries. */
  Mapping part(long from, long to) {
    return new Mapping(
        from, to, pageShift, huge, writable, Math.clamp(backedEnd, from, to), Arrays.copyOfRange(ptes, index(from), index(to - 1) + 1));
  }
}
