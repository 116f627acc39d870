package io.twostep.device.rdma;

/** Memory that an adapter may use, by a key: local queue pairs name it in their requests, peers in theirs, where its access rights permit it. */
public sealed interface MemoryKey extends AutoCloseable permits PinnedKey, OnDemandKey, OnDemandMemory, ImplicitMemory, ExportedMemory, IndirectKey, FastKey, LocalDmaKey {
  /** Return the key, for local use and for peers alike. */
  int key();

  /**
   * Make the adapter forget the key, then let go of the memory; when this returns the adapter cannot reach it. May be repeated, and called by several threads, but for fast keys.
   *
   * @throws RuntimeException if the adapter may still use the memory, which stays held; it may be tried again
   */
  @Override
  void close();
}
