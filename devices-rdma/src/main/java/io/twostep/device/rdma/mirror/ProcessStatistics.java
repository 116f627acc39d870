package io.twostep.device.rdma.mirror;

/**
 * What a process did and holds.
 *
 * @param faultedPages pages brought into memory
 * @param copiedPages shared pages replaced by a copy
 * @param movedPages pages whose contents moved to another frame
 * @param swappedPages pages moved out of memory
 * @param invalidations changes announced to subscribers
 * @param subscriptions subscribers now
 * @param swapSlots pages out of memory now, of this process and those it was forked from or into
 */
public record ProcessStatistics(
    long faultedPages, long copiedPages, long movedPages, long swappedPages, long invalidations, int subscriptions, int swapSlots) {}
