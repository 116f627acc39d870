package io.twostep.device.rdma;

/** Memory that an adapter may use, by a key: local queue pairs name it in their requests, peers in theirs, where its access rights permit it. */
public sealed interface MemoryKey extends AutoCloseable permits PinnedKey, OnDemandKey, OnDemandMemory, ImplicitMemory, ExportedMemory, IndirectKey, FastKey, LocalDmaKey {
  /** Return the key, for local use and for peers alike. */
  int key();

  /** Make the adapter forget the key, then let go of the memory; when this returns the adapter cannot reach it. */
  @Override
  void close();
}
