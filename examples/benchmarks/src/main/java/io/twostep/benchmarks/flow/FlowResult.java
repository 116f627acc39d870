package io.twostep.benchmarks.flow;

import java.util.Arrays;
import java.util.List;

/**
 * What a case cost.
 *
 * @param of the case
 * @param nanosPerOperation of each run, per thread, in ascending order
 * @param heapBytesPerOperation heap bytes that the threads allocated in all measured runs, per operation
 */
public record FlowResult(FlowCase of, List<Double> nanosPerOperation, double heapBytesPerOperation) {
  private static final int FIELDS = 6;

  public FlowResult {
    nanosPerOperation = nanosPerOperation.stream().sorted().toList();
  }

  /** Return the median of the runs, nanoseconds per operation. */
  public double median() {
    int n = nanosPerOperation.size();
    return (nanosPerOperation.get((n - 1) / 2) + nanosPerOperation.get(n / 2)) / 2;
  }

  /** Return the median of the runs, nanoseconds per page. */
  public double medianPerPage() {
    return median() / of.pages();
  }

  /** Return the fastest run, nanoseconds per operation. */
  public double fastest() {
    return nanosPerOperation.getFirst();
  }

  /** Return the slowest run, nanoseconds per operation. */
  public double slowest() {
    return nanosPerOperation.getLast();
  }

  /** Write it as one line that {@link #parse} reads. */
  String line() {
    StringBuilder line = new StringBuilder();
    line.append(of.name()).append(' ').append(of.format()).append(' ').append(of.n()).append(' ').append(of.pages());
    line.append(' ').append(of.threads()).append(' ').append(heapBytesPerOperation);
    nanosPerOperation.forEach(nanos -> line.append(' ').append(nanos));
    return line.toString();
  }

  static FlowResult parse(String line) {
    String[] words = line.split(" ");
    FlowCase of =
        new FlowCase(words[0], words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), Integer.parseInt(words[4]));
    List<Double> nanos = Arrays.stream(words).skip(FIELDS).map(Double::valueOf).toList();
    return new FlowResult(of, nanos, Double.parseDouble(words[FIELDS - 1]));
  }
}
