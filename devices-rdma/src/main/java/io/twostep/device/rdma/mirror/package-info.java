/**
 * A process's memory as a device that mirrors it has to live with it: pages come on demand, are shared, moved, swapped out and taken away, and whoever uses them is told
 * before. What belongs here is the process's side, its frames, its page table and the protocol of invalidation; who maps pages for a device is in {@code umem}.
 */
@NullMarked
package io.twostep.device.rdma.mirror;

import org.jspecify.annotations.NullMarked;
