package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.umem.OnDemandUmem;

/** A range of a process that the adapter reaches by a key while its pages come and go. Thread-safe. */
public final class OnDemandMemory implements MemoryKey {
  private final Hca hca;
  private final Faults.Memory pages = this::fault;
  private final OnDemandKey key;
  private final OnDemandUmem umem;

  /** Before, only who guessed the key can ask for pages. */
  private volatile boolean registered;

  OnDemandMemory(Hca hca, ProtectionDomain domain, OnDemandSource source, long va, long length, int access) {
    this.hca = hca;
    key = new OnDemandKey(hca, domain, va, length, access, new Faults(pages));
    try {
      umem = source.register(va, length, access, key);
    } catch (RuntimeException e) {
      key.close();
      throw e;
    }
    registered = true;
    hca.prefetch().add(key.key(), domain, pages);
  }

  private void fault(long address, long length, FaultMode mode) {
    if (!registered) {
      throw new IllegalStateException("%s: %#x+%#x is asked for by a key whose memory is still being registered".formatted(hca.name(), address, length));
    }
    umem.fault(address, length, mode);
  }

  @Override
  public int key() {
    return key.key();
  }

  /** Return what is linked, and how. */
  public OnDemandUmem umem() {
    return umem;
  }

  @Override
  public void close() {
    hca.prefetch().remove(key.key(), pages);
    try {
      umem.close();
    } finally {
      key.close();
    }
  }
}
