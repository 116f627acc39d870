package io.twostep.benchmarks;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
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

/**
 * One operation: free one of the live ranges and allocate anew, in a space of 48 bits.
 *
 * <p>What is not the allocator's costs as little as it can: a draw is one multiplication, and the live ranges are one array of words, each an address with its size
 * in the low bits, as a driver keeps the two together.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class IovaBenchmark {
  private static final long LAST = (1L << 48) - 1;
  private static final long GRANULE = 4096;

  /** {@code mix-1-32}: sizes uniform from 1 to 32 granules; {@code 256}: 256 granules; freed at random. {@code 256-fifo}: the oldest is freed. */
  @Param({"mix-1-32", "256", "256-fifo"})
  public String sizes = "";

  @Param({"1000", "100000"})
  public int live;

  private IovaAllocator allocator;
  private long random;
  private long[] held;
  private boolean mixed;
  private boolean fifo;
  private int oldest;

  @Setup(Level.Trial)
  public void fill() {
    allocator = new IovaAllocator(new IovaSpace("bench", GRANULE, 0, LAST), 4);
    random = 1;
    mixed = sizes.startsWith("mix");
    fifo = sizes.endsWith("fifo");
    held = new long[live];
    for (int i = 0; i < live; i++) {
      allocateAt(i, draw());
    }
  }

  /** Draw 64 bits, the upper of which are good; the multiplier is Knuth's. */
  private long draw() {
    random = random * 6364136223846793005L + 1442695040888963407L;
    return random;
  }

  private long allocateAt(int i, long drawn) {
    long granules = mixed ? 1 + ((drawn >>> 27) & 31) : 256;
    long word = allocator.allocate(granules, LAST) | granules;
    held[i] = word;
    return word;
  }

  @Benchmark
  public long freeAndAllocate() {
    long drawn = draw();
    int i;
    if (fifo) {
      i = oldest;
      oldest = i + 1 == live ? 0 : i + 1;
    } else {
      i = (int) (((drawn >>> 32) * live) >>> 32);
    }
    long word = held[i];
    allocator.free(word & -GRANULE, word & (GRANULE - 1));
    return allocateAt(i, drawn);
  }
}
