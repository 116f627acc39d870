package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.CompletionStatus;
import java.lang.foreign.MemorySegment;

/** What a requester needs of its adapter. */
public interface RequesterPort {
  /** Fill {@code target} with the request's local data from byte {@code offset} on. After FAULT the requester waits for {@link Requester#resume}. */
  MemoryResult gather(long id, long offset, MemorySegment target);

  /** Store an answer's bytes in the request's local memory from byte {@code offset} on. After FAULT the requester waits for {@link Requester#resume}. */
  MemoryResult scatter(long id, long offset, MemorySegment payload);

  /** Store what an atomic found in the request's local memory, in the order of the host. */
  MemoryResult scatterOriginal(long id, long original);

  /** Execute a LOCAL request. */
  CompletionStatus execute(long id);

  /** Take a finished request; they finish in the order in which they were posted. */
  void complete(long id, CompletionStatus status, long length);

  /** Send a packet. */
  void send(Packet packet);
}
