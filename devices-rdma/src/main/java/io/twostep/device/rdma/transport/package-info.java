/**
 * The reliable connected service as two state machines, requester and responder, and the packets between them (IBA 1.5, volume 1, 9.7). Pure: time is handed
 * in, packets, memory and completions are behind ports, and whoever steps them decides about threads: one at a time. Receive credits are not counted, and
 * messages have at most 2^30 bytes.
 */
@NullMarked
package io.twostep.device.rdma.transport;

import org.jspecify.annotations.NullMarked;
