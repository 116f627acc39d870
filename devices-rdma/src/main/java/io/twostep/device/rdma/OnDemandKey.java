package io.twostep.device.rdma;

import io.twostep.device.rdma.umem.DevicePageTable;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;

/** A key whose pages come and go: absent ones make the adapter fault, and {@link Hca#serviceFaults} asks for them. */
public final class OnDemandKey implements MemoryKey, DevicePageTable {
  private static final int LOG_PAGE = 12;

  private final Hca hca;
  private final long start;
  private final PageFaultHandler handler;
  private final DmaBuffer table;
  private final int key;
  private boolean closed;

  OnDemandKey(Hca hca, ProtectionDomain domain, long start, long length, int access, PageFaultHandler handler) {
    this.hca = hca;
    this.start = start;
    this.handler = handler;
    long page = 1L << LOG_PAGE;
    long count = ((start & (page - 1)) + length + page - 1) >>> LOG_PAGE;
    table = hca.mapper().allocateCoherent(count * MttLayout.SIZE);
    try {
      key = new KeyRequest(domain, access, start, length, LOG_PAGE, table.dmaAddress(), true).create(hca);
    } catch (RuntimeException e) {
      table.close();
      throw e;
    }
    hca.add(this);
  }

  @Override
  public int key() {
    return key;
  }

  PageFaultHandler handler() {
    return handler;
  }

  @Override
  public void set(long offset, long length, long dmaAddress, DmaDirection access) {
    long bits = access == DmaDirection.TO_DEVICE ? MttLayout.READ : MttLayout.READ | MttLayout.WRITE;
    for (long done = 0; done < length; done += 1L << LOG_PAGE) {
      put(offset + done, dmaAddress + done | bits);
    }
  }

  @Override
  public void zap(long offset, long length) {
    for (long done = 0; done < length; done += 1L << LOG_PAGE) {
      put(offset + done, 0);
    }
  }

  private void put(long offset, long entry) {
    MttLayout.ENTRY.setRelease(table.segment(), (offset >>> LOG_PAGE) * MttLayout.SIZE, entry);
  }

  /** Return when no access that began before is under way: the adapter reads entries at each access, and a command comes after all of them. */
  @Override
  public void commit() {
    hca.commands().execute(CommandLayout.OP_NOP, 0);
  }

  /** Return the address of the first byte. */
  public long start() {
    return start;
  }

  @Override
  public void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_MKEY, key);
      closed = true;
      hca.remove(this);
      table.close();
    }
  }
}
