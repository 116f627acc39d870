package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.FastKey;
import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.HcaException;
import io.twostep.device.rdma.ProtectionDomain;
import io.twostep.dma.DmaMappingException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The keys of one queue pair, all invalid while they are here; the last one given back is the first one taken. One that cannot be replaced at once is so later. One thread at a time. */
final class FastKeyPool implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FastKeyPool.class);

  private final Hca hca;
  private final ProtectionDomain domain;
  private final int pages;
  private final List<FastKey> free = new ArrayList<>();
  private int missing;

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
    refill();
    return free.size();
  }

  FastKey take() {
    return free.removeLast();
  }

  /** Take a key back that is invalid. */
  void give(FastKey key) {
    free.add(key);
  }

  /** Take a key back of which nobody knows whether it is valid: the adapter forgets it, or this fails, and another one takes its place as soon as there can be one. */
  void replace(FastKey key) {
    key.close();
    missing++;
    refill();
  }

  private void refill() {
    try {
      for (; missing > 0; missing--) {
        free.add(hca.newFastKey(domain, pages));
      }
    } catch (HcaException | DmaMappingException e) {
      LOG.debug("{}: {} keys are missing until there is room for them", hca.name(), missing, e);
    }
  }

  @Override
  public void close() {
    missing = 0;
    while (!free.isEmpty()) {
      free.getLast().close();
      free.removeLast();
    }
  }
}
