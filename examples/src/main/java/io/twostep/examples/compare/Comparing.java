package io.twostep.examples.compare;

import io.twostep.dma.DmaMappingException;
import io.twostep.examples.compare.StackKind.Case;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The same buffers in one machine, compared for one request size after another.
 *
 * <p>First every strategy moves all buffers once, counted, and what the device read is compared. Then all are timed in one process, taking turns, so that whatever the
 * computer does besides falls on all of them.
 */
public final class Comparing implements AutoCloseable {
  private static final long BYTES_SEED = 20_261_121;

  /** Requests a timed contender walks over: more would only measure how the buffers' lists fall out of the processor's caches. */
  private static final int MOST_TIMED_REQUESTS = 256;

  private final Layout layout;
  private final ModelMachine machine;
  private final Placement buffers;
  private final Progress progress;

  private Comparing(Layout layout, Progress progress, Placer placer) throws IOException {
    this.layout = layout;
    this.progress = progress;
    machine = ModelMachine.create(ModelMachineConfig.defaults());
    try {
      buffers = placer.place(machine);
    } catch (IOException | RuntimeException e) {
      machine.close();
      throw e;
    }
  }

  /** Fill the buffers with random bytes. */
  public static Comparing ofRandomBytes(Layout layout, Progress progress) throws IOException {
    return new Comparing(layout, progress, machine -> Placement.ofRandomBytes(layout, machine.memory(), BYTES_SEED));
  }

  /** Fill the buffers with a file that has as many bytes. */
  public static Comparing ofFile(Layout layout, Path file, Progress progress) throws IOException {
    return new Comparing(layout, progress, machine -> Placement.ofFile(layout, machine.memory(), file));
  }

  /** Compare for requests of {@code ioSize} bytes. */
  public Comparison run(long ioSize, Effort effort) {
    List<Request> requests = requests(Math.min(ioSize, layout.bytes()));
    List<Case> cases = StackKind.cases();
    Map<Case, Counted> counted = new LinkedHashMap<>();
    List<Refusal> refusals = new ArrayList<>();
    for (int i = 0; i < cases.size(); i++) {
      Case of = cases.get(i);
      progress.step("counting " + of.label() + ", " + ioSize + " bytes a request", i + 1, cases.size());
      try {
        counted.put(of, CountingPass.run(machine, buffers, of, requests));
      } catch (DmaMappingException e) {
        refusals.add(new Refusal(of, String.valueOf(e.getMessage())));
      }
    }
    progress.step("taking times, " + ioSize + " bytes a request", cases.size(), cases.size());
    List<Timed> timed = time(List.copyOf(counted.keySet()), requests, effort);
    double pagesPerIo = (double) requests.stream().mapToLong(request -> Layout.pages(request.length)).sum() / requests.size();
    List<StrategyCost> costs = new ArrayList<>();
    counted.forEach((of, counts) -> costs.add(new StrategyCost(of, counts, timed.get(costs.size()), pagesPerIo)));
    return new Comparison(layout, ioSize, costs, refusals);
  }

  private List<Request> requests(long ioSize) {
    List<Request> requests = new ArrayList<>();
    for (long at = 0; at < layout.bytes(); at += ioSize) {
      requests.add(new Request(buffers, at, Math.min(ioSize, layout.bytes() - at)));
    }
    return requests;
  }

  private List<Timed> time(List<Case> cases, List<Request> requests, Effort effort) {
    List<Request> some = requests.subList(0, Math.min(MOST_TIMED_REQUESTS, requests.size()));
    List<TimedContender> contenders = new ArrayList<>();
    try {
      for (Case of : cases) {
        contenders.add(new TimedContender(machine, buffers, of, some));
      }
      double[][] map = new double[cases.size()][effort.rounds()];
      double[][] unmap = new double[cases.size()][effort.rounds()];
      for (int i = 0; i < Effort.WARM_UP_ROUNDS; i++) {
        contenders.forEach(contender -> contender.warmUp(effort.warmUpNanos()));
      }
      for (int round = 0; round < effort.rounds(); round++) {
        for (int i = 0; i < contenders.size(); i++) {
          contenders.get(i).round(effort.roundNanos());
          map[i][round] = contenders.get(i).mapNanosPerPage();
          unmap[i][round] = contenders.get(i).unmapNanosPerPage();
        }
      }
      List<Timed> timed = new ArrayList<>();
      for (int i = 0; i < contenders.size(); i++) {
        double heap = contenders.get(i).heapBytesPerOperation();
        timed.add(new Timed(Spread.of(map[i]), Spread.of(unmap[i]), heap, contenders.get(i).registerNanosPerPage()));
      }
      return timed;
    } finally {
      contenders.forEach(TimedContender::close);
    }
  }

  @Override
  public void close() {
    buffers.close();
    machine.close();
  }

  /** Puts the buffers into a machine. */
  private interface Placer {
    Placement place(ModelMachine machine) throws IOException;
  }
}
