package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.Signals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/** Writes completion queue entries and signals vectors, coalesced as the features say. */
final class Completer {
  private static final long COALESCING_UNIT_NANOS = 100_000;
  private static final int HALF = CqeLayout.SIZE / 2;

  private final HostMemory memory;
  private final MemorySegment entry;
  private final boolean[] coalescingDisabled;
  private int maskedVectors;
  private int coalescing;

  Completer(Arena arena, HostMemory memory, int vectors) {
    this.memory = memory;
    entry = arena.allocate(CqeLayout.SIZE, CqeLayout.SIZE);
    coalescingDisabled = new boolean[vectors];
  }

  void reset() {
    maskedVectors = 0;
    coalescing = 0;
    Arrays.fill(coalescingDisabled, false);
  }

  /** Set the interrupt coalescing feature's word. */
  void setCoalescing(int word) {
    coalescing = word;
  }

  int coalescing() {
    return coalescing;
  }

  /** Turn coalescing off or on for one vector. */
  void setCoalescingDisabled(int vector, boolean disabled) {
    coalescingDisabled[vector] = disabled;
  }

  boolean isCoalescingDisabled(int vector) {
    return coalescingDisabled[vector];
  }

  int maskedVectors() {
    return maskedVectors;
  }

  void mask(int vectors) {
    maskedVectors |= vectors;
  }

  void unmask(int vectors) {
    maskedVectors &= ~vectors;
  }

  /** Post an entry; there is room. Returns false if host memory did not take it. */
  boolean post(CompletionQueue queue, int sqId, int sqHead, int commandId, int status, long result, long now) {
    if (!write(queue, queue.phase, sqId, sqHead, commandId, status, result)) {
      return false;
    }
    queue.advance();
    if (queue.unsignalled++ == 0) {
      queue.unsignalledSince = now;
    }
    return true;
  }

  /** Write an entry of the old phase where the next one will be, and do not move on. */
  boolean writeStale(CompletionQueue queue, int sqId, int sqHead, int commandId, int status) {
    return write(queue, queue.phase ^ 1, sqId, sqHead, commandId, status, 0);
  }

  private boolean write(CompletionQueue queue, int phase, int sqId, int sqHead, int commandId, int status, long result) {
    CqeLayout.RESULT.set(entry, 0, result);
    CqeLayout.SQ_HEAD.set(entry, 0, sqHead);
    CqeLayout.SQ_ID.set(entry, 0, sqId);
    CqeLayout.COMMAND_ID.set(entry, 0, commandId);
    CqeLayout.STATUS_PHASE.set(entry, 0, (status << 1) | phase);
    long at = queue.base + (long) queue.tail * CqeLayout.SIZE;
    if (memory.write(at, entry, 0, HALF) != BusMaster.OK) {
      return false;
    }
    // The half with the phase goes last, or a host on another thread could read the rest too early.
    VarHandle.releaseFence();
    return memory.write(at + HALF, entry, HALF, HALF) == BusMaster.OK;
  }

  /** Signal a queue's vector if that is due; returns after how long to ask again, or -1. */
  long signal(CompletionQueue queue, Signals signals, long now) {
    if (queue.unsignalled == 0) {
      return -1;
    }
    if (!queue.interrupts) {
      queue.unsignalled = 0;
      return -1;
    }
    if (queue.vector < Integer.SIZE && ((maskedVectors >>> queue.vector) & 1) != 0) {
      return -1;
    }
    long wait = FeatureId.COALESCING_TIME.get(coalescing) * COALESCING_UNIT_NANOS;
    if (wait != 0 && !coalescingDisabled[queue.vector] && queue.unsignalled <= FeatureId.COALESCING_THRESHOLD.get(coalescing)) {
      long left = queue.unsignalledSince + wait - now;
      if (left > 0) {
        return left;
      }
    }
    queue.unsignalled = 0;
    signals.interrupt(queue.vector);
    return -1;
  }
}
