package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;

/** Two connected ends and their time. */
final class Pair {
  static final long TIMEOUT = 1_000_000;
  static final int MEMORY = 1 << 16;

  final Wire wire;
  final End near;
  final End far;
  long now = 17;

  Pair(WireFaults faults, long seed) {
    this(faults, seed, config());
  }

  Pair(WireFaults faults, long seed, RcConfig config) {
    wire = new Wire(faults, seed);
    near = new End(config, wire.end(0), MEMORY);
    far = new End(config, wire.end(1), MEMORY);
  }

  /** Numbers begin where they soon wrap. */
  static RcConfig config() {
    return new RcConfig(9, 256, 0xffffe0, 0xffffe0, TIMEOUT, 7, RcConfig.FOR_EVER, 12, 4, 4, 24);
  }

  static RcConfig config(int retries, int rnrRetries) {
    return new RcConfig(9, 256, 5, 5, TIMEOUT, retries, rnrRetries, 12, 4, 4, 24);
  }

  /** Let both ends work until nothing moves and no timer runs. */
  void run() {
    for (int round = 0; round < 1_000_000; round++) {
      if (!round(16)) {
        return;
      }
    }
    throw new AssertionError("the connection does not come to rest");
  }

  /** Let both ends work once, or time jump to the next timer; returns false if there is nothing to wait for. */
  boolean round(int budget) {
    boolean busy = near.step(now, budget);
    busy |= far.step(now, budget);
    if (busy) {
      now += 100;
      return true;
    }
    long next = Math.min(near.requester.nextDeadline(), far.requester.nextDeadline());
    if (next == Requester.NEVER) {
      return false;
    }
    now = Math.max(now, next);
    return true;
  }
}
