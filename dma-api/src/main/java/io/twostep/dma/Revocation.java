package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.Revocable;
import io.twostep.dma.spi.Timers;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** One taking back of memory: tells the importers, waits for the last pin to go, and stops who holds on at the deadline. */
final class Revocation {
  /** The deadline of what somebody else brings to an end. */
  static final long NO_DEADLINE = Long.MAX_VALUE;

  private final Timers timers;
  private final MemoryRegion region;
  private final Revocable memory;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private volatile Timers.@Nullable Timer deadline;

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
    memory.revoke();
    if (!done.isDone() && deadlineNanos != NO_DEADLINE) {
      deadline = timers.schedule(deadlineNanos, this::stopImporters);
      if (done.isDone()) {
        released();
      }
    }
  }

  /** The last pin is gone. */
  private void released() {
    done.complete(null);
    Timers.Timer timer = deadline;
    if (timer != null) {
      timer.cancel();
    }
  }

  private void stopImporters() {
    if (done.isDone()) {
      return;
    }
    List<Importer> importers = memory.importers();
    if (importers.isEmpty()) {
      done.completeExceptionally(quarantined("no device is known to stop"));
      return;
    }
    RuntimeException failure = stop(importers);
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

  private @Nullable RuntimeException stop(List<Importer> importers) {
    RuntimeException failure = null;
    for (Importer importer : importers) {
      try {
        // Others may have let go meanwhile, of whom nobody wants to hear any more.
        if (memory.importers().contains(importer)) {
          importer.stop();
        }
      } catch (RuntimeException e) {
        failure = DmaHandle.join(failure, e);
      }
    }
    return failure;
  }
}
