package io.twostep.examples.rdma;

import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.PinnedKey;
import io.twostep.device.rdma.mirror.PinBudget;
import org.jspecify.annotations.Nullable;

/**
 * Slots pinned and registered one by one, each before data moves through it. Whoever remaps memory leaves a key behind that names the old pages, so a slot is registered for one move and let go of after
 * it.
 */
final class PinnedRegistration implements Registration {
  private final RdmaHost host;
  private final long start;
  private final int access;
  private final PinBudget budget = PinBudget.unlimited();
  private final @Nullable PinnedKey[] keys;
  private long pages;
  private long nanos;
  private long metadata;
  private long metadataPages;

  PinnedRegistration(RdmaHost host, long start, int slots, int access) {
    this.host = host;
    this.start = start;
    this.access = access;
    keys = new PinnedKey[slots];
  }

  @Override
  public MemoryKey key(int slot) {
    PinnedKey key = keys[slot];
    if (key == null) {
      long begun = CpuTime.ofThread();
      key = host.hca.register(host.domain, host.process, start + (long) slot * Slots.BYTES, Slots.BYTES, access, budget);
      nanos += CpuTime.ofThread() - begun;
      pages += Slots.BYTES / host.process.pageSize();
      metadata = key.umem().metadataLength();
      metadataPages = Slots.BYTES / host.process.pageSize();
      keys[slot] = key;
    }
    return key;
  }

  @Override
  public void released(int slot) {
    PinnedKey key = keys[slot];
    if (key != null) {
      keys[slot] = null;
      key.close();
    }
  }

  @Override
  public long reachablePages() {
    return pages;
  }

  @Override
  public long nanos() {
    return nanos;
  }

  @Override
  public long retries() {
    return 0;
  }

  @Override
  public long metadataLength() {
    return metadata;
  }

  @Override
  public long registeredPages() {
    return metadataPages;
  }

  @Override
  public void close() {
    for (int i = 0; i < keys.length; i++) {
      released(i);
    }
  }
}
