/**
 * Transfers between local memory and a peer's, given as a key and an address: mapped for one use, turned into the fewest work requests the adapter takes, and unmapped in the order that is safe. What
 * belongs here is the choice of how, and its undoing; queue pairs and keys are in {@code io.twostep.device.rdma}.
 */
@NullMarked
package io.twostep.device.rdma.rw;

import org.jspecify.annotations.NullMarked;
