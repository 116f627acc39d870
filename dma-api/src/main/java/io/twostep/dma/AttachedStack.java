package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.PhysicalMemory;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The ops of one device as one attach made them; lives until the mapper and every handle bound to it let go.
 *
 * <p>A handle stays bound to the stack that made its mapping, so that a restack never pulls the ops from under it.
 */
final class AttachedStack {
  final DmaOps ops;
  final int layers;
  final PhysicalMemory memory;
  final String device;
  final long granule;
  final long unit;
  final boolean translates;

  private final AtomicInteger holders = new AtomicInteger(1);
  private volatile boolean detached;

  AttachedStack(DmaOps ops, int layers, AttachContext context) {
    this.ops = ops;
    this.layers = layers;
    this.memory = context.machine().memory();
    this.device = context.device();
    this.granule = ops.granule();
    this.unit = ops.unit();
    this.translates = ops.translates();
  }

  /** Hold the stack; false if its last holder is gone. */
  boolean tryHold() {
    while (true) {
      int now = holders.get();
      if (now == 0) {
        return false;
      }
      if (holders.compareAndSet(now, now + 1)) {
        return true;
      }
    }
  }

  void letGo() {
    if (holders.decrementAndGet() == 0) {
      ops.close();
    }
  }

  void detach() {
    detached = true;
  }

  boolean isDetached() {
    return detached;
  }

  void requireAttached() {
    if (detached) {
      throw new DmaMappingException(
          Reason.DETACHED, device + ": the device is detached; only teardown of what is mapped is allowed");
    }
  }
}
