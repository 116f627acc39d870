package io.twostep.device.nvme.model;

import io.twostep.dma.spi.DeviceModel.Signals;

/** Asks to be woken at the earliest of several times, once for each time rather than once for each asking. */
final class Alarm {
  private Signals signals = Unplugged.INSTANCE;
  private boolean set;
  private long due;

  void connect(Signals to) {
    signals = to;
  }

  /** Be woken {@code delayNanos} after {@code now}, unless an earlier waking is under way. */
  void wakeAfter(long now, long delayNanos) {
    if (set && due - now > 0 && due - now <= delayNanos) {
      return;
    }
    set = true;
    due = now + delayNanos;
    signals.wakeAfter(delayNanos);
  }
}
