package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.umem.OnDemandUmem;

/** A range of a process that the adapter reaches by a key while its pages come and go. Thread-safe. */
public final class OnDemandMemory implements MemoryKey {
  private final OnDemandKey key;
  private final OnDemandUmem umem;

  OnDemandMemory(Hca hca, ProtectionDomain domain, OnDemandSource source, long va, long length, int access) {
    key = new OnDemandKey(hca, domain, va, length, access, this::fault);
    try {
      umem = source.register(va, length, access, key);
    } catch (RuntimeException e) {
      key.close();
      throw e;
    }
  }

  private boolean fault(long address, long length, boolean write) {
    return Faults.tryFault(() -> umem.fault(address, length, write ? FaultMode.WRITE : FaultMode.READ));
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
    try {
      umem.close();
    } finally {
      key.close();
    }
  }
}
