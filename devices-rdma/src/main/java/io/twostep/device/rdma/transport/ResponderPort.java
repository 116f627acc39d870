package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.CompletionStatus;
import java.lang.foreign.MemorySegment;

/** What a responder needs of its adapter. */
public interface ResponderPort {
  /** What a peer wants to do with memory. */
  enum Access {
    /** READ. */
    READ,
    /** WRITE. */
    WRITE,
    /** Atomic. */
    ATOMIC
  }

  /** Tell whether a key permits the peer an access to the whole of a range; absent pages do not matter. */
  boolean permits(int key, long address, long length, Access access);

  /**
   * Store a peer's bytes.
   *
   * @param remaining bytes of the message from {@code address} on: what it will ask for next
   */
  MemoryResult write(int key, long address, MemorySegment payload, long remaining);

  /**
   * Load bytes for a peer.
   *
   * @param remaining bytes of the message from {@code address} on: what it will ask for next
   */
  MemoryResult read(int key, long address, MemorySegment target, long remaining);

  /**
   * Execute an atomic and put what it found into {@code original[0]}.
   *
   * @param compared whether it is a swap on condition, else an addition
   */
  MemoryResult atomic(int key, long address, boolean compared, long compare, long swapOrAdd, long[] original);

  /** Tell whether a receive is posted. It stays the next one until {@link #completeReceive}. */
  boolean hasReceive();

  /** Return how many bytes the next receive takes. */
  long receiveCapacity();

  /** Store bytes in the next receive from byte {@code offset} on; the absent page of a {@link MemoryResult#FAULT} is asked for by {@link #faultReceive}. */
  MemoryResult scatterReceive(long offset, MemorySegment payload);

  /**
   * Ask for the pages that {@link #scatterReceive} last found absent, and for those behind them that the message needs.
   *
   * @param behind bytes of the message that have come behind those that were to be stored: the next receive will take them too
   */
  void faultReceive(long behind);

  /**
   * Finish the next receive.
   *
   * @param opcode the last packet's opcode code, which says what {@code extra} is
   */
  void completeReceive(CompletionStatus status, int opcode, int extra, long length);

  /** Invalidate a key for a peer; returns false if it cannot be. */
  boolean invalidate(int key);

  /** Send a packet. */
  void send(Packet packet);

  /** Take notice that the responder will answer no more, and why. */
  void failed(CompletionStatus reason);
}
