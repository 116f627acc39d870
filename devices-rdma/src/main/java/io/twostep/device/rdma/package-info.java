/**
 * RDMA as its users see it: access rights, memory regions, queue pairs. What belongs here is what users call; process memory that comes and goes is in
 * {@code mirror}, what a registration holds in {@code umem}.
 */
@NullMarked
package io.twostep.device.rdma;

import org.jspecify.annotations.NullMarked;
