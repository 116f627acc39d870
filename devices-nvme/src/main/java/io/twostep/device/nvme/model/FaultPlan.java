package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AsyncEventLayout;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * How a controller model misbehaves, for tests of drivers. Thread-safe: a test arms it while the machine runs.
 *
 * <p>A command fault hits one command, counted from the moment it is armed over the commands of one queue or of all I/O queues. Several
 * may be armed; each counts for itself, and the first armed wins where two hit the same command.
 */
public final class FaultPlan {
  /** Queue id that stands for any I/O queue. */
  public static final int ANY_IO_QUEUE = -1;

  /** What happens to a command. */
  public enum Kind {
    /** It is carried out, and its completion is lost. */
    DROP_COMPLETION,
    /** It is fetched and neither carried out nor completed, until it is aborted. */
    HOLD,
    /** It is fetched now, and carried out and completed after a time in nanoseconds: the device writes late. */
    DELAY,
    /** It is completed twice. */
    DUPLICATE_COMPLETION,
    /** It is completed by an entry of the wrong phase, which the host must not take for new. */
    WRONG_PHASE,
    /** Before its completion comes one that nobody asked for; the value is its command id. */
    STRAY_COMPLETION,
    /** Before its completion comes one whose queue id and head are nonsense. */
    GARBAGE_COMPLETION,
    /** Its completion claims that the controller has read its queue up to an index, the value, that may be nonsense. */
    WRONG_HEAD,
    /** It is not carried out, and fails with a status. */
    FAIL,
    /** It is completed without an interrupt. */
    LOSE_INTERRUPT
  }

  /** A fault waiting for its command. */
  static final class Armed {
    final int queueId;
    final Kind kind;
    final long value;
    private long remaining;

    Armed(int queueId, long nth, Kind kind, long value) {
      this.queueId = queueId;
      this.remaining = nth;
      this.kind = kind;
      this.value = value;
    }
  }

  private final ConcurrentLinkedQueue<Armed> armed = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<Integer> events = new ConcurrentLinkedQueue<>();
  private volatile boolean removed;
  private volatile boolean fatal;
  private volatile boolean powerLoss;
  private volatile long abortDelayNanos;
  private volatile long abortedDelayNanos;
  private volatile boolean abortsRefused;

  /** Create a plan without faults. */
  FaultPlan() {}

  /**
   * Arm a fault for the {@code nth} command from now on, 1 for the next.
   *
   * @param queueId a submission queue, 0 for the admin queue, or {@link #ANY_IO_QUEUE}
   * @param value nanoseconds, a command id or a status, as {@link Kind} says; else ignored
   */
  public void onCommand(int queueId, long nth, Kind kind, long value) {
    if (nth < 1) {
      throw new IllegalArgumentException("commands are counted from 1, not " + nth);
    }
    armed.add(new Armed(queueId, nth, kind, value));
  }

  /** Arm a fault without a value: see {@link #onCommand(int, long, Kind, long)}. */
  public void onCommand(int queueId, long nth, Kind kind) {
    onCommand(queueId, nth, kind, 0);
  }

  /** Remove the controller by surprise: registers read all ones, writes are lost, nothing moves any more. */
  public void surpriseRemove() {
    removed = true;
  }

  /** Report a fatal error in CSTS.CFS and stop working until the controller is reset. */
  public void failFatally() {
    fatal = true;
  }

  /**
   * Lose power for a moment: back to power-on, without what was written and not flushed.
   *
   * <p>What was written comes back as it was at the last flush only if {@link NvmeModelConfig#losesUnflushed} is set.
   */
  public void losePower() {
    powerLoss = true;
  }

  /** Have the controller report an event at its next step, whose numbers are those of {@link AsyncEventLayout}. */
  public void reportEvent(int type, int information, int logPage) {
    int word = AsyncEventLayout.INFORMATION.with(AsyncEventLayout.TYPE.with(0, type), information);
    events.add(AsyncEventLayout.LOG_PAGE.with(word, logPage));
  }

  /** Let abort commands take {@code nanos}. */
  public void delayAborts(long nanos) {
    abortDelayNanos = nanos;
  }

  /** Let aborted commands complete {@code nanos} after their abort has: an abort's completion is not theirs. */
  public void delayAborted(long nanos) {
    abortedDelayNanos = nanos;
  }

  /** Let aborts report that they aborted nothing. */
  public void refuseAborts() {
    abortsRefused = true;
  }

  /** Disarm everything but a removal. */
  public void clear() {
    armed.clear();
    events.clear();
    fatal = false;
    powerLoss = false;
    abortDelayNanos = 0;
    abortedDelayNanos = 0;
    abortsRefused = false;
  }

  /** Return how many armed faults still wait for their command. */
  public int waiting() {
    return armed.size();
  }

  boolean isRemoved() {
    return removed;
  }

  /** Tell once that a fatal error was asked for. */
  boolean takeFatal() {
    if (!fatal) {
      return false;
    }
    fatal = false;
    return true;
  }

  /** Tell once that a loss of power was asked for. */
  boolean takePowerLoss() {
    if (!powerLoss) {
      return false;
    }
    powerLoss = false;
    return true;
  }

  /** Take the oldest event that was asked for; null for none. */
  @Nullable Integer takeEvent() {
    return events.poll();
  }

  long abortDelayNanos() {
    return abortDelayNanos;
  }

  long abortedDelayNanos() {
    return abortedDelayNanos;
  }

  boolean abortsRefused() {
    return abortsRefused;
  }

  boolean isArmed() {
    return !armed.isEmpty();
  }

  /** Count a command of a queue and return the fault that hits it. */
  @Nullable Armed next(int queueId) {
    Armed hit = null;
    for (Armed fault : armed) {
      if (fault.queueId == queueId || (fault.queueId == ANY_IO_QUEUE && queueId != 0)) {
        fault.remaining--;
        if (fault.remaining <= 0 && hit == null) {
          hit = fault;
        }
      }
    }
    if (hit != null) {
      armed.remove(hit);
    }
    return hit;
  }
}
