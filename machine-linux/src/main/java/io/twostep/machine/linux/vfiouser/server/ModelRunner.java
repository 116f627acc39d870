package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.DeviceModel;
import java.util.PriorityQueue;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives the model its turns, and hears its signals. Not thread-safe: everything happens on the thread that serves.
 *
 * <p>A model whose step throws sleeps until it is woken again; the session goes on.
 */
final class ModelRunner implements DeviceModel.Signals {
  private static final Logger LOG = LoggerFactory.getLogger(ModelRunner.class);
  private static final int BUDGET = 64;

  /** Times that lie less than half the clock's range apart can be compared. */
  private static final long LONGEST_DELAY_NANOS = Long.MAX_VALUE / 4;

  private final DeviceModel model;
  private final LongSupplier nanoTime;
  private final PriorityQueue<Long> alarms = new PriorityQueue<>((a, b) -> Long.signum(a - b));
  private IntConsumer interrupts = vector -> {};
  private boolean awake;

  ModelRunner(DeviceModel model, LongSupplier nanoTime) {
    this.model = model;
    this.nanoTime = nanoTime;
  }

  /** Send interrupts there from now on. */
  void interruptsTo(IntConsumer sink) {
    interrupts = sink;
  }

  /** Let the model work a little; returns whether it has more to do at once. */
  boolean step() {
    while (!alarms.isEmpty() && alarms.peek() - nanoTime.getAsLong() <= 0) {
      alarms.remove();
      awake = true;
    }
    if (awake) {
      awake = false;
      try {
        awake |= model.step(BUDGET);
      } catch (RuntimeException e) {
        LOG.warn("the model failed in step; it sleeps until it is woken", e);
      }
    }
    return awake;
  }

  /** Return nanoseconds until the model has to be stepped, negative if nothing is planned. */
  long untilNext() {
    Long next = alarms.peek();
    return next == null ? -1 : Math.max(0, next - nanoTime.getAsLong());
  }

  /** Reset the model; what was planned is forgotten. */
  void reset() {
    alarms.clear();
    awake = false;
    model.reset();
  }

  @Override
  public void interrupt(int vector) {
    interrupts.accept(vector);
  }

  @Override
  public void wake() {
    awake = true;
  }

  @Override
  public void wakeAfter(long delayNanos) {
    alarms.add(nanoTime.getAsLong() + Math.clamp(delayNanos, 0, LONGEST_DELAY_NANOS));
  }

  @Override
  public long nanoTime() {
    return nanoTime.getAsLong();
  }
}
