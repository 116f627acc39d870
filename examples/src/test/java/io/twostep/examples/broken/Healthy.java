package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;

/** Ops without a mistake, below which the mistakes make one. */
class Healthy extends ForwardingOps {
  final AttachContext context;

  Healthy(DmaOps next, AttachContext context) {
    super(next);
    this.context = context;
  }

  @Override
  public void retire(int phase, long a, long b, long c) {
    throw new IllegalStateException("registers nothing");
  }
}
