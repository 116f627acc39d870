package io.twostep.benchmarks.flow;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;

/**
 * Times a flow: runs of equal length, first some to warm up, then those that count; all threads start a run together.
 *
 * @param runs runs that count
 * @param runNanos length of a run, about
 * @param warmUpNanos time to warm up before the first run that counts, at least
 */
public record FlowTimer(int runs, long runNanos, long warmUpNanos) {
  /** What a full measurement uses. */
  static final FlowTimer FULL = new FlowTimer(9, 60_000_000L, 1_200_000_000L);

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Read by nobody; written so that the work cannot be left out. */
  @SuppressWarnings("UnusedVariable")
  private static volatile long sink;

  /** Open a flow for a case, measure it and close it. */
  public FlowResult measure(Flows flow, FlowCase of) throws InterruptedException {
    try (Flow opened = flow.open(of)) {
      return measure(of, opened);
    }
  }

  /** Measure a flow that is open. */
  public FlowResult measure(FlowCase of, Flow flow) throws InterruptedException {
    Phaser start = new Phaser(of.threads());
    List<Future<Measured>> futures = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(of.threads())) {
      for (int i = 0; i < of.threads(); i++) {
        int index = i;
        futures.add(threads.submit(() -> work(flow, index, of.threads(), start)));
      }
      return combine(of, futures);
    }
  }

  private Measured work(Flow flow, int index, int workers, Phaser start) {
    try (Flow.Worker worker = open(flow, index, workers)) {
      int operations = calibrate(worker, flow.batch());
      double[] nanos = new double[runs];
      long allocated = 0;
      for (int run = 0; run < runs; run++) {
        start.arriveAndAwaitAdvance();
        long heapBefore = THREADS.getCurrentThreadAllocatedBytes();
        long from = System.nanoTime();
        long result = worker.run(operations);
        nanos[run] = (double) (System.nanoTime() - from) / operations;
        sink = result;
        allocated += THREADS.getCurrentThreadAllocatedBytes() - heapBefore;
      }
      return new Measured(nanos, (double) allocated / runs / operations);
    } finally {
      // Also who fails, so that nobody waits for it.
      start.arriveAndDeregister();
    }
  }

  /** Open a worker on the thread that it works for: what one thread makes for several lies side by side, and then they share cache lines. */
  private static Flow.Worker open(Flow flow, int index, int workers) {
    synchronized (flow) {
      return flow.worker(index, workers);
    }
  }

  /** Warm up, and return how many operations a run has. */
  private int calibrate(Flow.Worker worker, int batch) {
    int operations = batch;
    long begin = System.nanoTime();
    while (true) {
      long from = System.nanoTime();
      sink = worker.run(operations);
      long took = Math.max(1, System.nanoTime() - from);
      double fitting = (double) operations * runNanos / took;
      if (System.nanoTime() - begin > warmUpNanos) {
        return whole(fitting, 1 << 28, batch);
      }
      operations = whole(fitting / 2, operations * 8L, batch);
    }
  }

  private static int whole(double operations, long most, int batch) {
    return (int) Math.max(1, Math.min((long) operations, most) / batch) * batch;
  }

  private FlowResult combine(FlowCase of, List<Future<Measured>> futures) throws InterruptedException {
    double[] nanos = new double[runs];
    double heap = 0;
    for (Future<Measured> future : futures) {
      Measured measured = get(future);
      for (int run = 0; run < runs; run++) {
        nanos[run] += measured.nanos[run] / futures.size();
      }
      heap += measured.heapBytesPerOperation / futures.size();
    }
    List<Double> each = new ArrayList<>();
    for (double value : nanos) {
      each.add(value);
    }
    return new FlowResult(of, each, heap);
  }

  private static Measured get(Future<Measured> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("a flow failed: " + e.getCause(), e.getCause());
    }
  }

  private static final class Measured {
    private final double[] nanos;
    private final double heapBytesPerOperation;

    private Measured(double[] nanos, double heapBytesPerOperation) {
      this.nanos = nanos;
      this.heapBytesPerOperation = heapBytesPerOperation;
    }
  }
}
