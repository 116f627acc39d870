package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;

/** What keys and queue pairs must have in common. Thread-safe. */
public final class ProtectionDomain implements AutoCloseable {
  private final Hca hca;
  private final int number;
  private boolean closed;

  ProtectionDomain(Hca hca) {
    this.hca = hca;
    number = hca.commands().execute(CommandLayout.OP_ALLOC_PD, input -> {});
  }

  int number() {
    return number;
  }

  /** Destroy it; keys and queue pairs must be closed before. */
  @Override
  public synchronized void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DEALLOC_PD, number);
      closed = true;
    }
  }
}
