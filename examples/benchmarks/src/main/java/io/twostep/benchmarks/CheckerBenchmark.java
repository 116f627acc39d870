package io.twostep.benchmarks;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaTransfer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One operation: a request of scattered pages mapped and unmapped, with and without the counting part of the checker above. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class CheckerBenchmark {
  @Param({"none", "counting"})
  public String checker = "";

  @Param({"vtd-second-stage"})
  public String stack = "";

  @Param({"64"})
  public int pages;

  private MappedDevice device;
  private DmaTransfer transfer;
  private ScatteredPages source;

  @Setup(Level.Trial)
  public void attach() {
    device =
        checker.equals("none") ? MappedDevice.on(stack) : MappedDevice.on(stack, new DebugBackend(DebugConfig.defaults().with(false, true)));
    transfer = device.mapper.newTransfer();
    source = new ScatteredPages(pages, 1);
  }

  @Benchmark
  public long request() {
    long entries = transfer.map(source, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, (address, length, kind) -> true);
    transfer.unmap();
    return entries;
  }

  @TearDown(Level.Trial)
  public void detach() {
    transfer.close();
    device.close();
  }
}
