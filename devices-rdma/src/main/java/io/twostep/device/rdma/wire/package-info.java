/**
 * What host, adapter and peer agree on, and nothing else: packet headers of the InfiniBand transport (IBA 1.5, volume 1, chapter 9), and queue entries,
 * memory keys and translation entries in the shapes that mlx5 adapters use. Named offsets, widths, bits and codes; no behaviour of any side lives here but what all
 * must compute alike: the order of packet sequence numbers and the invariant CRC. Everything is big-endian.
 */
@NullMarked
package io.twostep.device.rdma.wire;

import org.jspecify.annotations.NullMarked;
