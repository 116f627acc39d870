/**
 * RPC over RDMA (RFC 8166) in small: messages with a head, pages and a tail, whose pages travel by read and write chunks. What belongs here is what an RPC transport does with {@code rdma_rw}; programs
 * and their arguments are one line each.
 */
@NullMarked
package io.twostep.examples.rpc;

import org.jspecify.annotations.NullMarked;
