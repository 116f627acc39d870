package io.twostep.benchmarks;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.IovaReservation;
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

/** One operation: reserve n pages, n link calls of scattered 4 KiB pages, one sync, destroy; strict. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class TwoStepBenchmark {
  @Param({"vtd-second-stage", "amd-v1"})
  public String format = "";

  @Param({"1", "32", "256", "4096"})
  public int pages;

  private MappedDevice device;
  private IovaReservation reservation;
  private long[] phys;

  @Setup(Level.Trial)
  public void attach() {
    device = MappedDevice.on(format);
    reservation = device.mapper.newReservation();
    phys = new ScatteredPages(pages, 1).phys;
  }

  @Benchmark
  public long twoStep() {
    IovaReservation r = reservation;
    long[] from = phys;
    long length = from.length * 4096L;
    r.tryAlloc(0, length, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
    long offset = 0;
    for (long page : from) {
      r.link(offset, page, 4096);
      offset += 4096;
    }
    r.sync(0, length);
    long address = r.address();
    r.destroy();
    return address;
  }

  @TearDown(Level.Trial)
  public void detach() {
    reservation.close();
    device.close();
  }
}
