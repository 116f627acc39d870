package io.twostep.examples.compare;

import io.twostep.backend.swiotlb.SwiotlbStatistics;
import io.twostep.examples.nvme.HeapBytes;
import io.twostep.machine.model.IommuStats;
import io.twostep.machine.model.ModelMachine;
import java.util.ArrayList;
import java.util.List;

/** Sends every request through one strategy once, has the device read all of it, compares what it read, and counts. */
final class CountingPass {
  private static final int PIECE = 1 << 20;
  private static final int ROUNDS = 3;
  private static final int MOST_METADATA_RANGES = 1024;
  private static final long MOST_METADATA_BYTES = 2 << 20;

  private final ModelMachine machine;
  private final Contender contender;
  private final List<Entry> entries = new ArrayList<>();
  private long hardwareEntries;
  private long tableBytes;
  private List<Entry> first = List.of();

  private CountingPass(ModelMachine machine, Contender contender) {
    this.machine = machine;
    this.contender = contender;
  }

  /**
   * Count.
   *
   * @throws io.twostep.dma.DmaMappingException if the strategy cannot map these buffers in requests of this size
   * @throws IllegalStateException if the device read other bytes than the buffers hold
   */
  static Counted run(ModelMachine machine, Placement buffers, StackKind.Case of, List<Request> requests) {
    try (Contender contender = Contender.counting(machine, buffers, of)) {
      CountingPass pass = new CountingPass(machine, contender);
      Totals before = pass.totals();
      pass.all(requests);
      Totals after = pass.totals();
      return new Counted(
          requests.size(),
          pass.hardwareEntries,
          after.allocations - before.allocations,
          after.tableWrites - before.tableWrites,
          pass.tableBytes,
          after.invalidations - before.invalidations,
          after.bounced - before.bounced,
          after.cleanedLines - before.cleanedLines,
          pass.metadataPerPage(),
          after.simulatedNanos - before.simulatedNanos,
          pass.first);
    }
  }

  private void all(List<Request> requests) {
    contender.begin();
    try (RequestSlot slot = contender.newSlot(requests.getFirst().length)) {
      for (Request request : requests) {
        entries.clear();
        slot.map(request, (address, length, kind) -> entries.add(new Entry(address, length)));
        try {
          if (contender.iommu != null) {
            tableBytes = Math.max(tableBytes, contender.iommu.statistics().tableBytes());
          }
          hardwareEntries += entries.size();
          if (request.offset == 0) {
            first = contender.of.stack() == StackKind.DIRECT ? contender.buffers.unplaced(entries) : List.copyOf(entries);
          }
          read(request);
        } finally {
          slot.unmap();
        }
      }
    }
    contender.end();
    contender.mapper.awaitQuiescence();
  }

  /** Let the device read a request, entry by entry. */
  private void read(Request request) {
    long at = request.offset;
    for (Entry entry : entries) {
      for (long done = 0; done < entry.length(); done += PIECE) {
        byte[] found = contender.device.read(entry.dmaAddress() + done, (int) Math.min(PIECE, entry.length() - done));
        if (!contender.buffers.holds(at, found)) {
          throw new IllegalStateException(contender.of.label() + ": the device read other bytes than the buffers hold, at byte " + at);
        }
        at += found.length;
      }
    }
    if (at != request.offset + request.length) {
      throw new IllegalStateException(contender.of.label() + ": the device was given " + (at - request.offset) + " bytes of " + request.length);
    }
  }

  /** What one page more costs: the heap a new slot takes for some pages, and for half of them. */
  private double metadataPerPage() {
    Placement buffers = contender.buffers;
    long most = Math.min(MOST_METADATA_BYTES, contender.mapper.limits().maxMappingLength());
    long bytes = Math.min(buffers.offset[Math.min(MOST_METADATA_RANGES, buffers.phys.length)], most);
    long half = Layout.pages(bytes) / 2 * Layout.PAGE;
    if (half == bytes) {
      half = 0;
    }
    // The first round loads classes and grows what belongs to the device rather than to a request.
    heap(bytes);
    long least = Long.MAX_VALUE;
    for (int i = 0; i < ROUNDS; i++) {
      long few = half == 0 ? 0 : heap(half);
      least = Math.min(least, Math.max(0, heap(bytes) - few));
    }
    return least / (double) Layout.pages(bytes - half);
  }

  private long heap(long bytes) {
    Request request = new Request(contender.buffers, 0, bytes);
    long before = HeapBytes.ofThread();
    if (contender.of.strategy() == MapStrategy.REGISTERED) {
      try (Registration held = contender.register(request)) {
        return held.kept(HeapBytes.ofThread() - before);
      }
    }
    try (RequestSlot slot = contender.newSlot(bytes)) {
      slot.map(request, (address, length, kind) -> true);
      long after = HeapBytes.ofThread();
      slot.unmap();
      return after - before;
    }
  }

  private Totals totals() {
    IommuStats hardware = machine.translationStats(contender.space);
    return new Totals(
        contender.meter.iovaAllocations(),
        contender.iommu == null ? 0 : contender.iommu.statistics().tableWrites(),
        hardware == null ? 0 : hardware.invalidations(),
        contender.bounce == null ? 0 : bounced(contender.bounce.statistics()),
        contender.caches.cleanedLines(),
        hardware == null ? 0 : hardware.simulatedNanos());
  }

  private static long bounced(SwiotlbStatistics done) {
    return done.bytesIn() + done.bytesOut();
  }

  /** Counters of everything that counts, at one moment. */
  private record Totals(long allocations, long tableWrites, long invalidations, long bounced, long cleanedLines, long simulatedNanos) {}
}
