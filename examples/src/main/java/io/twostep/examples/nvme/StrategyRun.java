package io.twostep.examples.nvme;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbStatistics;
import io.twostep.dma.spi.Machine;
import io.twostep.examples.temporary.TemporaryPath;
import io.twostep.machine.model.ModelMachine;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Stores the file and reads it back by one stack and one strategy, and counts what that took. */
final class StrategyRun {
  private final NvmeWorkload work;
  private final StackChoice stack;
  private final Strategy strategy;
  private final long fileSize;

  StrategyRun(NvmeWorkload work, StackChoice stack, Strategy strategy, long fileSize) {
    this.work = work;
    this.stack = stack;
    this.strategy = strategy;
    this.fileSize = fileSize;
  }

  /** Return what was counted; times are still missing. */
  RunResult count(byte[] digest, ProgressListener listener) throws IOException {
    Meter meter = new Meter();
    @Nullable DebugBackend checker;
    RunResult result;
    try (TemporaryPath store = TemporaryPath.file("twostep-namespace-", "blocks.img");
        Assembled on = new Assembled(work, stack, strategy, store.path(), namespaceSize(), meter);
        FileChannel file = FileChannel.open(work.file(), StandardOpenOption.READ)) {
      Machine machine = on.platform.machine();
      checker = on.platform.backend(work.address(), DebugBackend.class);
      Counts before = Counts.of(on, work.address(), meter);
      byte[] found;
      long ios;
      try (FileTransfer transfer = new FileTransfer(on.controller, machine, work, fileSize, listener)) {
        transfer.store(file);
        MessageDigest back = Digests.sha256();
        transfer.load(back);
        found = back.digest();
        ios = transfer.ios();
      }
      Counts after = Counts.of(on, work.address(), meter);
      result = new RunResult(
          stack.label(),
          strategy,
          Arrays.equals(digest, found),
          ios,
          after.entries - before.entries,
          after.allocations - before.allocations,
          work.isModelled() ? after.tableWrites - before.tableWrites : RunResult.NOT_COUNTED,
          work.isModelled() ? after.invalidations - before.invalidations : RunResult.NOT_COUNTED,
          after.bounced - before.bounced,
          MetadataPerPage.measure(on.controller.mapper(), machine.memory(), strategy),
          0,
          0,
          "");
    }
    // Asked now: what is left behind shows when the platform is closed.
    return checker == null ? result : result.withChecker(checker.statistics().verdict());
  }

  /** Return the times of requests on a warm path without meters. */
  WarmTimes time() throws IOException {
    if (fileSize == 0) {
      return WarmTimes.NONE;
    }
    long size = Math.min(fileSize, work.ioSize() * work.queueDepth() * work.queues());
    try (TemporaryPath store = TemporaryPath.file("twostep-namespace-", "blocks.img");
        Assembled on = new Assembled(work, stack, strategy, store.path(), namespaceSize(), null);
        FileTransfer transfer = new FileTransfer(on.controller, on.platform.machine(), work, size, (what, done, total) -> {})) {
      return WarmTimes.measure(transfer);
    }
  }

  private long namespaceSize() {
    return Math.max(NvmeWorkload.BLOCK, (fileSize + NvmeWorkload.BLOCK - 1) / NvmeWorkload.BLOCK * NvmeWorkload.BLOCK);
  }

  /** Counters of everything that counts, at one moment. */
  private record Counts(long entries, long allocations, long tableWrites, long invalidations, long bounced) {
    static Counts of(Assembled on, String address, Meter meter) {
      long invalidations = on.platform.machine() instanceof ModelMachine model ? model.stats().invalidations() : 0;
      IommuBackend iommu = on.platform.backend(address, IommuBackend.class);
      return new Counts(
          on.controller.statistics().hardwareEntries(),
          meter.iovaAllocations(),
          iommu == null ? 0 : iommu.statistics().tableWrites(),
          invalidations,
          bounced(on.platform.backend(address, SwiotlbBackend.class)));
    }

    private static long bounced(@Nullable SwiotlbBackend layer) {
      if (layer == null) {
        return 0;
      }
      SwiotlbStatistics done = layer.statistics();
      return done.bytesIn() + done.bytesOut();
    }
  }
}
