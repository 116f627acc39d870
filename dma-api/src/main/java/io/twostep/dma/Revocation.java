package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Revocable;
import io.twostep.dma.spi.Timers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** One taking back of memory: tells the importers, waits for the last pin to go, and stops who holds on at the deadline. */
final class Revocation {
  /** The deadline of what somebody else brings to an end. */
  static final long NO_DEADLINE = Long.MAX_VALUE;

  /** How long a thread may need between its last steps; nobody answers for a pin that is about to go, or that comes too late and is refused. */
  private static final long LOOK_AGAIN_NANOS = PeerMemory.DEFAULT_DEADLINE_NANOS;

  private final Timers timers;
  private final MemoryRegion region;
  private final Revocable memory;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private volatile Timers.@Nullable Timer deadline;

  /** Whether pins were found at the deadline, once before, for which nobody answers; used by timers, one after the other. */
  private boolean lookedAgain;

  Revocation(Timers timers, MemoryRegion region, Revocable memory) {
    this.timers = timers;
    this.region = region;
    this.memory = memory;
  }

  CompletionStage<Void> stage() {
    return done.minimalCompletionStage();
  }

  /** Tell whether the memory is out of reach of every device. */
  boolean isComplete() {
    return done.isDone() && !done.isCompletedExceptionally();
  }

  void start(long deadlineNanos) {
    region.revoke(this::released);
    try {
      memory.revoke();
    } finally {
      if (deadlineNanos != NO_DEADLINE) {
        stopImportersAfter(deadlineNanos);
      }
    }
  }

  private void stopImportersAfter(long nanos) {
    if (!done.isDone()) {
      deadline = timers.schedule(nanos, this::stopImporters);
      if (done.isDone()) {
        released();
      }
    }
  }

  /** The last pin is gone. */
  private void released() {
    HeldCompletions.complete(done);
    Timers.Timer timer = deadline;
    if (timer != null) {
      timer.cancel();
    }
  }

  private void stopImporters() {
    if (done.isDone()) {
      return;
    }
    if (memory.importers().isEmpty()) {
      if (lookedAgain) {
        done.completeExceptionally(quarantined("no device is known to stop"));
      } else {
        lookedAgain = true;
        stopImportersAfter(LOOK_AGAIN_NANOS);
      }
      return;
    }
    RuntimeException failure = stopAll();
    if (failure == null) {
      done.complete(null);
    } else {
      DmaMappingException quarantined = quarantined("a device could not be stopped");
      quarantined.initCause(failure);
      done.completeExceptionally(quarantined);
    }
  }

  private DmaMappingException quarantined(String why) {
    return new DmaMappingException(
        Reason.QUARANTINED,
        "%s: %d mappings hold it past the deadline and %s; leave the memory as it is until the devices are reset"
            .formatted(memory, region.pins(), why));
  }

  /** Stop every importer, and whoever takes the place of one meanwhile, as a teardown does that cannot be confirmed. Returns what is wrong with devices that were not stopped. */
  private @Nullable RuntimeException stopAll() {
    Set<Importer> asked = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<DeviceSlot> stopped = Collections.newSetFromMap(new IdentityHashMap<>());
    List<NotStopped> failures = new ArrayList<>();
    for (Importer importer = next(asked); importer != null; importer = next(asked)) {
      try {
        importer.stop();
        if (stopsItsDevice(importer)) {
          stopped.add(importer.device());
        }
      } catch (RuntimeException e) {
        failures.add(new NotStopped(importer, e));
      }
    }
    // A device that was stopped for one of its mappings reaches nothing by any other.
    failures.removeIf(one -> stopsItsDevice(one.importer) && stopped.contains(one.importer.device()));
    return failures.stream().map(NotStopped::failure).reduce(DmaHandle::join).orElse(null);
  }

  /** An importer that could not be stopped, and why. */
  private record NotStopped(Importer importer, RuntimeException failure) {}

  /** Tell importers that are devices from a buffer that lends the memory on, whose own importers are asked themselves. */
  private static boolean stopsItsDevice(Importer importer) {
    return !(importer instanceof ExportLease);
  }

  /** Return an importer that holds the memory now and was not asked yet; those who let go in time are left alone. */
  private @Nullable Importer next(Set<Importer> asked) {
    for (Importer importer : memory.importers()) {
      if (asked.add(importer)) {
        return importer;
      }
    }
    return null;
  }
}
