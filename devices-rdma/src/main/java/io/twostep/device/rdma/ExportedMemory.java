package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.umem.ExportedUmem;
import io.twostep.dma.ExportedBuffer;

/**
 * Memory of another driver, exported, that the adapter reaches by a key until its owner takes it back, and again after the owner has restored it. Thread-safe.
 *
 * <p>Requests that name it meanwhile fail; those that come after it was restored have it mapped anew, wherever it is.
 */
public final class ExportedMemory implements MemoryKey {
  private final Hca hca;
  private final OnDemandKey key;
  private final ExportedUmem umem;

  /** Before, only who guessed the key can ask for the buffer. */
  private volatile boolean attached;

  ExportedMemory(Hca hca, ProtectionDomain domain, long start, ExportedBuffer buffer, int access) {
    this.hca = hca;
    key = new OnDemandKey(hca, domain, start, buffer.length(), access, new Faults(this::fault));
    try {
      umem = ExportedUmem.attach(hca.mapper(), buffer, access, key);
    } catch (RuntimeException e) {
      key.close();
      throw e;
    }
    attached = true;
    try {
      umem.fault();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void fault(long address, long length, FaultMode mode) {
    if (!attached) {
      throw new IllegalStateException("%s: %#x+%#x is asked for by a key whose memory is still being registered".formatted(hca.name(), address, length));
    }
    umem.fault();
  }

  @Override
  public int key() {
    return key.key();
  }

  /** Return the import. */
  public ExportedUmem umem() {
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
