/**
 * The peer layer: decides by what address, if by any, a device reaches the published memory of another.
 *
 * <p>What lives here judges routes, remembers the answers until the topology changes, and answers bus addresses itself. What the routes are is the machine's to
 * say; who may publish, allocate and take back is {@link io.twostep.dma.PeerMemory}'s; what is translated is the terminal's.
 */
@NullMarked
package io.twostep.backend.p2p;

import org.jspecify.annotations.NullMarked;
