package io.twostep.device.rdma.transport;

/** Something that a responder has to send, in the order of sequence numbers. */
sealed interface Response {
  /** Return the first sequence number that it answers. */
  int psn();

  /** An acknowledgement, positive or not. */
  record Acknowledge(int psn, int kind, int code) implements Response {}

  /**
   * What an atomic found.
   *
   * @param again whether it answers a request that came before
   */
  record Original(int psn, long value, boolean again) implements Response {}

  /**
   * The rest of the answer to a READ.
   *
   * @param first whether none of it was sent
   * @param again whether it answers a request that came before: what fails of it is told, and costs the connection nothing, for it may be a late copy of one that is long over
   */
  record Data(int psn, int key, long address, long length, boolean first, boolean again) implements Response {}
}
