package io.twostep.device.rdma.model;

import io.twostep.dma.spi.Timers;

/** The clock of one machine whose waiting also lets the wire and another machine go on: for two hosts on one thread. */
public final class WiredTimers implements Timers {
  private final Timers own;
  private final Wire wire;
  private final Timers peer;

  /** Create timers for a host. */
  public WiredTimers(Timers own, Wire wire, Timers peer) {
    this.own = own;
    this.wire = wire;
    this.peer = peer;
  }

  @Override
  public long nanoTime() {
    return own.nanoTime();
  }

  @Override
  public Timer schedule(long delayNanos, Runnable task) {
    return own.schedule(delayNanos, task);
  }

  @Override
  public void pause(int times) {
    wire.deliver();
    own.pause(times);
    wire.deliver();
    peer.pause(times);
  }
}
