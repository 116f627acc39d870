package io.twostep.device.rdma;

import io.twostep.device.rdma.umem.DevicePageTable;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.DmaDirection;

/** A key whose pages come and go: absent ones make the adapter fault, and {@link Hca#serviceFaults} asks for them. The adapter keeps the entries; here is nothing kept per page. Thread-safe. */
public final class OnDemandKey implements MemoryKey, DevicePageTable {
  private static final int LOG_PAGE = 12;

  private final Hca hca;
  private final long start;
  private final AdapterKey key;
  private final int name;
  private boolean closed;

  OnDemandKey(Hca hca, ProtectionDomain domain, long start, long length, int access, PageFaultHandler handler) {
    this.hca = hca;
    this.start = start;
    long page = 1L << LOG_PAGE;
    key = hca.keys().take(MkeyLayout.MODE_TABLE, true, ((start & (page - 1)) + length + page - 1) >>> LOG_PAGE);
    try {
      name = key.enable(domain, access, start, length, LOG_PAGE);
    } catch (RuntimeException e) {
      hca.keys().tryGiveBack(key, e);
      throw e;
    }
    hca.addFaults(name, handler);
  }

  @Override
  public int key() {
    return name;
  }

  @Override
  public synchronized void set(long offset, long length, long dmaAddress, DmaDirection access) {
    if (closed) {
      throw new IllegalStateException("%s: key 0x%x is closed; register the memory anew".formatted(hca.name(), name));
    }
    long entry = dmaAddress | (access == DmaDirection.TO_DEVICE ? MttLayout.READ : MttLayout.READ | MttLayout.WRITE);
    key.load(offset >>> LOG_PAGE, length >>> LOG_PAGE, index -> entry + (index << LOG_PAGE));
  }

  /** A closed key has no entries, and its adapter's place may be another's. */
  @Override
  public synchronized void zap(long offset, long length) {
    if (!closed) {
      key.clear(offset >>> LOG_PAGE, length >>> LOG_PAGE);
    }
  }

  @Override
  public synchronized void commit() {
    if (!closed) {
      key.commit();
    }
  }

  /** Return the address of the first byte. */
  public long start() {
    return start;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      hca.removeFaults(name);
      hca.keys().giveBack(key);
      closed = true;
    }
  }
}
