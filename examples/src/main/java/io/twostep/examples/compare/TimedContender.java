package io.twostep.examples.compare;

import io.twostep.dma.DmaSink;
import io.twostep.examples.nvme.HeapBytes;
import io.twostep.machine.model.ModelMachine;
import java.util.Arrays;
import java.util.List;

/** Maps and unmaps requests over and over, several outstanding, and takes the time of both. */
final class TimedContender implements AutoCloseable {
  private static final long OUTSTANDING_BYTES = 4L << 20;
  private static final int MOST_OUTSTANDING = 32;
  private static final int LEAST_BURSTS = 9;
  private static final int MOST_BURSTS = 1024;
  private static final int REGISTRATIONS = 5;

  private final Contender contender;
  private final List<Request> requests;
  private final RequestSlot[] slots;
  private final EntryRing entries = new EntryRing();
  private int next;

  /** Nanoseconds for each page, of every burst of the latest round. */
  private final double[] map = new double[MOST_BURSTS];

  private final double[] unmap = new double[MOST_BURSTS];
  private int bursts;

  private long operations;
  private long heapBytes;

  TimedContender(ModelMachine machine, Placement buffers, StackKind.Case of, List<Request> requests) {
    this.requests = requests;
    long longest = requests.getFirst().length;
    contender = Contender.timing(machine, buffers, of);
    try {
      contender.begin();
    } catch (RuntimeException e) {
      contender.close();
      throw e;
    }
    slots = new RequestSlot[Math.clamp(OUTSTANDING_BYTES / footprint(requests), 1, MOST_OUTSTANDING)];
    for (int i = 0; i < slots.length; i++) {
      slots[i] = contender.newSlot(longest);
    }
  }

  /** Return what the largest request may need of slots or addresses: a page at least for each range. */
  private static long footprint(List<Request> requests) {
    return requests.stream().mapToLong(request -> Math.max(request.length, (long) request.ranges() * Layout.PAGE)).max().orElse(1);
  }

  /** Work for about so long, and note nothing. */
  void warmUp(long nanos) {
    round(nanos);
    operations = 0;
    heapBytes = 0;
  }

  /** Work for about so long; times are of this round, heap bytes of all rounds. */
  void round(long nanos) {
    bursts = 0;
    long heap = HeapBytes.ofThread();
    long from = System.nanoTime();
    int done = 0;
    while (done < LEAST_BURSTS || System.nanoTime() - from < nanos) {
      burst();
      done++;
    }
    heapBytes += HeapBytes.ofThread() - heap;
  }

  private void burst() {
    long pages = 0;
    long from = System.nanoTime();
    for (RequestSlot slot : slots) {
      Request request = requests.get(next);
      next = next + 1 == requests.size() ? 0 : next + 1;
      slot.map(request, entries);
      pages += Layout.pages(request.length);
    }
    long mapped = System.nanoTime();
    for (RequestSlot slot : slots) {
      slot.unmap();
    }
    long done = System.nanoTime();
    int at = bursts++ & MOST_BURSTS - 1;
    map[at] = (double) (mapped - from) / pages;
    unmap[at] = (double) (done - mapped) / pages;
    operations += slots.length;
  }

  /** Return what a page took in the latest round: the median of its bursts, which leaves out those that the computer interrupted. */
  double mapNanosPerPage() {
    return median(map);
  }

  /** As {@link #mapNanosPerPage}. */
  double unmapNanosPerPage() {
    return median(unmap);
  }

  private double median(double[] each) {
    return Spread.of(Arrays.copyOf(each, Math.min(bursts, MOST_BURSTS))).median();
  }

  double heapBytesPerOperation() {
    return (double) heapBytes / operations;
  }

  /** Return what registering all buffers, and giving them back, takes for each page. */
  Spread registerNanosPerPage() {
    double[] rounds = new double[REGISTRATIONS];
    if (contender.of.strategy() == MapStrategy.REGISTERED) {
      for (int i = 0; i < rounds.length; i++) {
        contender.end();
        long from = System.nanoTime();
        contender.begin();
        contender.end();
        rounds[i] = (double) (System.nanoTime() - from) / Layout.pages(contender.buffers.layout.bytes());
      }
    }
    return Spread.of(rounds);
  }

  @Override
  public void close() {
    for (RequestSlot slot : slots) {
      slot.close();
    }
    contender.close();
  }

  /** Stores what a device would be given, over and over in the same place. */
  private static final class EntryRing implements DmaSink {
    private static final int SIZE = 1024;

    private final long[] address = new long[SIZE];
    private final long[] length = new long[SIZE];
    private int count;

    @Override
    public boolean accept(long dmaAddress, long bytes, int kind) {
      int at = count++ & SIZE - 1;
      address[at] = dmaAddress;
      length[at] = bytes;
      return true;
    }
  }
}
