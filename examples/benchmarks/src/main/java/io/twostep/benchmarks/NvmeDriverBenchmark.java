package io.twostep.benchmarks;

import io.twostep.benchmarks.machine.InstantNvme;
import io.twostep.benchmarks.machine.OneRange;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.NvmeQueue;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The NVMe driver alone, on one thread, against a controller that is done at once and moves nothing. One operation: 4 KiB of a request prepared (checked, mapped,
 * described, told) and completed (found, unmapped, reported), 32 requests outstanding; {@code direct} needs no mapping work, as memory that was registered before,
 * {@code iommu} reserves, links and invalidates strictly for every request.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class NvmeDriverBenchmark {
  private static final int DEPTH = 32;
  private static final int PAGES = 32;

  @Param({"direct", "iommu"})
  public String stack = "";

  private InstantNvme device;
  private NvmeQueue queue;
  private final NvmeBio[] small = new NvmeBio[DEPTH];
  private final NvmeBio[] large = new NvmeBio[DEPTH];

  @Setup(Level.Trial)
  public void bringUp() {
    device = new InstantNvme(stack.equals("iommu"));
    queue = device.controller().queues().getFirst();
    NvmeNamespace namespace = device.controller().namespaces().getFirst();
    long blocks = 4096 / namespace.blockSize();
    ScatteredPages scattered = new ScatteredPages(DEPTH, 1);
    for (int i = 0; i < DEPTH; i++) {
      small[i] = new NvmeBio().read(namespace, i * blocks, blocks, new OneRange(scattered.phys[i], 4096));
      large[i] = new NvmeBio().read(namespace, i * blocks * PAGES, blocks * PAGES, new ScatteredPages(PAGES, i + 2));
    }
  }

  @Benchmark
  @OperationsPerInvocation(DEPTH)
  public int requestsOfOnePage() {
    return run(small);
  }

  @Benchmark
  @OperationsPerInvocation(DEPTH * PAGES)
  public int requestsOf32Pages() {
    return run(large);
  }

  private int run(NvmeBio[] bios) {
    for (int i = 0; i < DEPTH; i++) {
      if (!queue.trySubmit(bios[i], i == DEPTH - 1)) {
        throw new IllegalStateException("the queue is full with " + i + " requests");
      }
    }
    int found = queue.poll();
    for (NvmeBio bio : bios) {
      bio.check();
    }
    return found;
  }

  @TearDown(Level.Trial)
  public void shutDown() {
    device.close();
  }
}
