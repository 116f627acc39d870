package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.umem.DevicePageTable;
import io.twostep.device.rdma.umem.ImplicitPageTables;
import io.twostep.device.rdma.umem.ImplicitUmem;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.MkeyLayout;
import org.jspecify.annotations.Nullable;

/** All of a process that the adapter reaches by one key: a key over keys of 1 GiB each, which are made when something in them is asked for. Thread-safe. */
public final class ImplicitMemory implements MemoryKey {
  private static final int LOG_PIECE = Long.numberOfTrailingZeros(ImplicitUmem.PIECE);
  private static final long LOW = 0xffffffffL;

  private final Hca hca;
  private final ProtectionDomain domain;
  private final int access;
  private final AdapterKey root;
  private final int name;
  private final ImplicitUmem umem;
  private final Faults.Memory pages;
  private final PageFaultHandler faults;
  private volatile boolean rootGone;
  private boolean closed;

  ImplicitMemory(Hca hca, ProtectionDomain domain, OnDemandSource source, int access) {
    this.hca = hca;
    this.domain = domain;
    this.access = access;
    long length = ProcessMemory.addressLimit();
    umem = source.registerAll(access, new Tables());
    pages = umem::fault;
    faults = new Faults(pages);
    root = hca.keys().take(MkeyLayout.MODE_EQUAL_PIECES, true, length >>> LOG_PIECE);
    try {
      name = root.enable(domain, access, 0, length, LOG_PIECE);
    } catch (RuntimeException e) {
      hca.keys().tryGiveBack(root, e);
      throw e;
    }
    hca.addFaults(name, faults);
    hca.prefetch().add(name, domain, pages);
  }

  @Override
  public int key() {
    return name;
  }

  /** Return what is linked, and in how many pieces. */
  public ImplicitUmem umem() {
    return umem;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    hca.prefetch().remove(name, pages);
    if (!rootGone) {
      hca.removeFaults(name);
    }
    try {
      umem.close();
    } finally {
      giveRootBack();
    }
    closed = true;
  }

  private void giveRootBack() {
    if (!rootGone) {
      hca.keys().giveBack(root);
      rootGone = true;
    }
  }

  private final class Tables implements ImplicitPageTables {
    @Override
    public DevicePageTable open(long start, long length) {
      // Who may invalidate the whole may not take a piece out of it.
      return new OnDemandKey(hca, domain, start, length, access & ~AccessFlags.REMOTE_INVALIDATE, faults);
    }

    /** Nothing reaches pieces by a root that was given back, and it may be another's. */
    @Override
    public void connect(long start, @Nullable DevicePageTable piece) {
      if (!rootGone) {
        long key = piece instanceof OnDemandKey child ? child.key() & LOW : 0;
        root.load(start >>> LOG_PIECE, 1, word -> word == 0 ? key : key == 0 ? 0 : start);
      }
    }

    @Override
    public void commit() {
      if (!rootGone) {
        root.commit();
      }
    }

    @Override
    public void close(DevicePageTable piece) {
      if (piece instanceof OnDemandKey child) {
        child.close();
      }
    }
  }
}
