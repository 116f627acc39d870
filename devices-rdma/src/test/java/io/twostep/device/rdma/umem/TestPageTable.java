package io.twostep.device.rdma.umem;

import io.twostep.dma.DmaDirection;
import io.twostep.machine.model.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/** An adapter's table: entries count once committed, and a commit waits for accesses under way. Accesses go through the probe. */
final class TestPageTable implements DevicePageTable {
  private static final long PAGE = 4096;

  record Entry(long dmaAddress, DmaDirection access) {}

  private final ProbeDevice probe;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final TreeMap<Long, Entry> entries = new TreeMap<>();
  private final List<Runnable> prepared = new ArrayList<>();
  final List<String> calls = new ArrayList<>();
  @Nullable RuntimeException failCommit;
  Runnable onCommit = () -> {};

  TestPageTable(ProbeDevice probe) {
    this.probe = probe;
  }

  @Override
  public void set(long offset, long length, long dmaAddress, DmaDirection access) {
    prepared.add(() -> {
      for (long at = 0; at < length; at += PAGE) {
        entries.put(offset + at, new Entry(dmaAddress + at, access));
      }
    });
    calls.add("set %#x+%#x %s".formatted(offset, length, access));
  }

  @Override
  public void zap(long offset, long length) {
    prepared.add(() -> entries.subMap(offset, offset + length).clear());
    calls.add("zap %#x+%#x".formatted(offset, length));
  }

  @Override
  public void commit() {
    calls.add("commit");
    if (failCommit != null) {
      throw failCommit;
    }
    lock.writeLock().lock();
    try {
      prepared.forEach(Runnable::run);
      prepared.clear();
    } finally {
      lock.writeLock().unlock();
    }
    onCommit.run();
  }

  int size() {
    lock.readLock().lock();
    try {
      return entries.size();
    } finally {
      lock.readLock().unlock();
    }
  }

  @Nullable Entry entry(long offset) {
    lock.readLock().lock();
    try {
      return entries.get(offset);
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Read within a page as the device; null for a page fault. */
  byte @Nullable [] read(long offset, int length) {
    lock.readLock().lock();
    try {
      Entry entry = entries.get(offset & -PAGE);
      return entry == null ? null : probe.read(entry.dmaAddress + (offset & (PAGE - 1)), length);
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Write within a page as the device; false for a page fault. */
  boolean write(long offset, byte[] bytes) {
    lock.readLock().lock();
    try {
      Entry entry = entries.get(offset & -PAGE);
      if (entry == null || !entry.access.deviceWrites()) {
        return false;
      }
      probe.write(entry.dmaAddress + (offset & (PAGE - 1)), bytes);
      return true;
    } finally {
      lock.readLock().unlock();
    }
  }
}
