package io.twostep.device.rdma.transport;

/**
 * One request of a send queue, as the requester sees it; where local data lies is known behind {@link RequesterPort}.
 *
 * @param id the owner's name for it
 * @param verb what to do
 * @param length bytes of the message; 8 for atomics
 * @param remoteAddress address in the peer's key, for WRITE, READ and atomics
 * @param remoteKey the peer's key
 * @param extra immediate data or the key to invalidate
 * @param swapOrAdd operand of an atomic
 * @param compare operand of COMPARE_SWAP
 * @param fence whether it must wait until all READs and atomics before it are done; if LOCAL, until everything before it is, so that nothing can be sent again
 */
public record WorkRequest(
    long id, Verb verb, long length, long remoteAddress, int remoteKey, int extra, long swapOrAdd, long compare, boolean fence) {}
