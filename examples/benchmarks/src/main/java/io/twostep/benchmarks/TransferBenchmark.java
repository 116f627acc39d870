package io.twostep.benchmarks;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaSink;
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

/** One operation: the same scattered pages through a transfer into a sink that stores the entries, and unmap; strict. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class TransferBenchmark {
  @Param({"vtd-second-stage", "amd-v1", "direct"})
  public String stack = "";

  @Param({"1", "32", "256", "4096"})
  public int pages;

  private MappedDevice device;
  private DmaTransfer transfer;
  private ScatteredPages source;
  private final EntryStore entries = new EntryStore();

  @Setup(Level.Trial)
  public void attach() {
    device = MappedDevice.on(stack);
    transfer = device.mapper.newTransfer();
    source = new ScatteredPages(pages, 1);
  }

  @Benchmark
  public long transfer() {
    entries.count = 0;
    transfer.map(source, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, entries);
    transfer.unmap();
    return entries.address[0];
  }

  @TearDown(Level.Trial)
  public void detach() {
    transfer.close();
    device.close();
  }

  /** Stores what a device would be given. */
  private static final class EntryStore implements DmaSink {
    private final long[] address = new long[8192];
    private final long[] length = new long[8192];
    private int count;

    @Override
    public boolean accept(long dmaAddress, long bytes, int kind) {
      address[count] = dmaAddress;
      length[count++] = bytes;
      return true;
    }
  }
}
