package io.twostep.benchmarks;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import java.util.SplittableRandom;
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
import org.openjdk.jmh.annotations.Warmup;

/** One operation: free one of the live ranges and allocate anew, in a space of 48 bits. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class IovaBenchmark {
  private static final long LAST = (1L << 48) - 1;

  /** {@code mix-1-32}: sizes uniform from 1 to 32 granules; {@code 256}: 256 granules; freed at random. {@code 256-fifo}: the oldest is freed. */
  @Param({"mix-1-32", "256", "256-fifo"})
  public String sizes = "";

  @Param({"1000", "100000"})
  public int live;

  private IovaAllocator allocator;
  private SplittableRandom random;
  private long[] iova;
  private int[] granules;
  private boolean mixed;
  private boolean fifo;
  private int oldest;

  @Setup(Level.Trial)
  public void fill() {
    allocator = new IovaAllocator(new IovaSpace("bench", 4096, 0, LAST), 4);
    random = new SplittableRandom(1);
    mixed = sizes.startsWith("mix");
    fifo = sizes.endsWith("fifo");
    iova = new long[live];
    granules = new int[live];
    for (int i = 0; i < live; i++) {
      allocateAt(i);
    }
  }

  private void allocateAt(int i) {
    int size = mixed ? 1 + random.nextInt(32) : 256;
    granules[i] = size;
    iova[i] = allocator.allocate(size, LAST);
  }

  @Benchmark
  public long freeAndAllocate() {
    int i;
    if (fifo) {
      i = oldest;
      oldest = i + 1 == live ? 0 : i + 1;
    } else {
      i = random.nextInt(live);
    }
    allocator.free(iova[i], granules[i]);
    allocateAt(i);
    return iova[i];
  }
}
