package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.FastKey;
import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.ProtectionDomain;
import java.util.ArrayList;
import java.util.List;

/** The keys of one queue pair, all invalid while they are here; the last one given back is the first one taken. One thread at a time. */
final class FastKeyPool implements AutoCloseable {
  private final Hca hca;
  private final ProtectionDomain domain;
  private final int pages;
  private final List<FastKey> free = new ArrayList<>();

  FastKeyPool(Hca hca, ProtectionDomain domain, int keys, int pages) {
    this.hca = hca;
    this.domain = domain;
    this.pages = pages;
    try {
      for (int i = 0; i < keys; i++) {
        free.add(hca.newFastKey(domain, pages));
      }
    } catch (RuntimeException e) {
      close(e);
      throw e;
    }
  }

  private void close(RuntimeException cause) {
    try {
      close();
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
  }

  int free() {
    return free.size();
  }

  FastKey take() {
    return free.removeLast();
  }

  /** Take a key back that is invalid. */
  void give(FastKey key) {
    free.add(key);
  }

  /** Take a key back of which nobody knows whether it is valid: the adapter forgets it, and another one takes its place if there can be one. */
  void replace(FastKey key) {
    key.close();
    free.add(hca.newFastKey(domain, pages));
  }

  @Override
  public void close() {
    while (!free.isEmpty()) {
      free.getLast().close();
      free.removeLast();
    }
  }
}
