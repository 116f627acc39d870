package io.twostep.examples.rdma;

import io.twostep.device.rdma.ImplicitMemory;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.OnDemandMemory;
import io.twostep.device.rdma.umem.ImplicitUmem;
import io.twostep.device.rdma.umem.OnDemandSource;

/** One key whose pages come and go: of a range, or of the whole process. Whatever is unmapped, nothing has to be registered again. */
final class PagedRegistration implements Registration {
  private final RdmaHost host;
  private final MemoryKey key;
  private final OnDemandSource source;

  private PagedRegistration(RdmaHost host, OnDemandSource source, MemoryKey key) {
    this.host = host;
    this.source = source;
    this.key = key;
  }

  /** Register a range. */
  static PagedRegistration ofRange(RdmaHost host, long start, long length, int access) {
    OnDemandSource source = source(host);
    return new PagedRegistration(host, source, host.hca.registerOnDemand(host.domain, source, start, length, access));
  }

  /** Register whatever the process has, now and later. */
  static PagedRegistration ofAll(RdmaHost host, int access) {
    OnDemandSource source = source(host);
    return new PagedRegistration(host, source, host.hca.registerAll(host.domain, source, access));
  }

  private static OnDemandSource source(RdmaHost host) {
    return new OnDemandSource(host.hca.mapper(), host.process, host.timers(), RdmaHost.PATIENCE_NANOS);
  }

  @Override
  public MemoryKey key(int slot) {
    return key;
  }

  @Override
  public void released(int slot) {
    // The pages came and went by themselves.
  }

  @Override
  public long reachablePages() {
    return source.linkedPages();
  }

  @Override
  public long nanos() {
    return 0;
  }

  @Override
  public long retries() {
    return source.retries();
  }

  @Override
  public long metadataLength() {
    return key instanceof OnDemandMemory range ? range.umem().metadataLength() : ((ImplicitMemory) key).umem().metadataLength();
  }

  @Override
  public long registeredPages() {
    long bytes = key instanceof OnDemandMemory range ? range.umem().length() : ((ImplicitMemory) key).umem().pieces() * ImplicitUmem.PIECE;
    return bytes / host.process.pageSize();
  }

  @Override
  public void close() {
    key.close();
  }
}
