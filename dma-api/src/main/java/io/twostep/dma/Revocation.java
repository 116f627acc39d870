package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerImporter;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Timers;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** One taking back of peer memory: tells the importers, waits for the last pin to go, and stops who holds on at the deadline. */
final class Revocation {
  private final Timers timers;
  private final MemoryRegion region;
  private final PeerRange range;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private volatile Timers.@Nullable Timer deadline;

  Revocation(Timers timers, MemoryRegion region, PeerRange range) {
    this.timers = timers;
    this.region = region;
    this.range = range;
  }

  CompletionStage<Void> stage() {
    return done.minimalCompletionStage();
  }

  void start(long deadlineNanos) {
    region.revoke(this::released);
    range.revoke();
    if (!done.isDone()) {
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
    List<PeerImporter> importers = range.importers();
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
        "peer memory %s: %d mappings hold it past the deadline and %s; leave the memory as it is until the devices are reset"
            .formatted(range, region.pins(), why));
  }

  private static @Nullable RuntimeException stop(List<PeerImporter> importers) {
    RuntimeException failure = null;
    for (PeerImporter importer : importers) {
      try {
        importer.stop();
      } catch (RuntimeException e) {
        failure = DmaHandle.join(failure, e);
      }
    }
    return failure;
  }
}
