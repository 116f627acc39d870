package io.twostep.benchmarks;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
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

/** One operation: map and unmap one page of 4 KiB at a frame of 1,024 drawn at random; strict. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class MapPageBenchmark {
  @Param({"vtd-second-stage", "amd-v1", "direct"})
  public String stack = "";

  private MappedDevice device;
  private DmaMapping mapping;
  private long[] phys;
  private int next;

  @Setup(Level.Trial)
  public void attach() {
    device = MappedDevice.on(stack);
    mapping = device.mapper.newMapping();
    phys = new ScatteredPages(1024, 1).phys;
  }

  @Benchmark
  public long mapPage() {
    DmaMapping m = mapping.map(phys[next++ & 1023], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
    long address = m.dmaAddress();
    m.unmap();
    return address;
  }

  @TearDown(Level.Trial)
  public void detach() {
    mapping.close();
    device.close();
  }
}
