package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.PageRuns;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.umem.DevicePageTable;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.umem.OnDemandUmem;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Small pages of a process at frames in no order: the process takes its permission away and gives it back, so that the device must let go of them, and the device faults them in again for writing. As an on-demand region,
 * with one sync and one invalidation; or with a mapping for each page.
 */
final class FaultFlow implements Flow {
  private static final int PAGE = 4096;
  private static final long FRAMES = 32L << 20;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE;

  private final MappedDevice device;
  private final FramePool frames;
  private final int pages;
  private final boolean pageByPage;

  private FaultFlow(FlowCase of, boolean pageByPage) {
    device = MappedDevice.on(of.stack());
    frames = new FramePool(device.memory(), MemoryPlacement.CONTIGUOUS, FRAMES);
    pages = of.n();
    this.pageByPage = pageByPage;
  }

  static FaultFlow ofRegion(FlowCase of) {
    return new FaultFlow(of, false);
  }

  static FaultFlow pageByPage(FlowCase of) {
    return new FaultFlow(of, true);
  }

  /** Return how many invalidations the translation hardware was asked for. */
  long invalidations() {
    return device.counters().invalidations();
  }

  /** Return the heap bytes that a region's worker keeps beside the I/O page table. */
  static long metadataLength(Worker worker) {
    return ((Region) worker).umem.metadataLength();
  }

  @Override
  public Worker worker(int index, int workers) {
    ProcessMemory process = new ProcessMemory("p" + index, frames);
    long va = process.map((long) pages * PAGE, true);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < pages; i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(index));
    order.forEach(page -> process.write(va + (long) page * PAGE, MemorySegment.ofArray(new byte[1]), 0, 1));
    return pageByPage ? new PageByPage(process, va) : new Region(process, va);
  }

  @Override
  public void close() {
    frames.close();
    device.close();
  }

  private abstract class Faulter implements Worker {
    final ProcessMemory process;
    final long va;
    final long length = (long) pages * PAGE;

    Faulter(ProcessMemory process, long va) {
      this.process = process;
      this.va = va;
    }

    final void change() {
      process.protect(va, length, false);
      process.protect(va, length, true);
    }

    @Override
    public void close() {
      process.close();
    }
  }

  private final class Region extends Faulter {
    private final OnDemandUmem umem;

    Region(ProcessMemory process, long va) {
      super(process, va);
      umem = new OnDemandSource(device.mapper, process, device.timers()).register(va, length, ACCESS, new NoTable());
    }

    @Override
    public long run(int operations) {
      for (int i = 0; i < operations; i++) {
        change();
        umem.fault(va, length, FaultMode.WRITE);
      }
      return umem.linkedPages();
    }

    @Override
    public void close() {
      umem.close();
      super.close();
    }
  }

  private final class PageByPage extends Faulter {
    private final DmaMapping[] mappings = new DmaMapping[pages];
    private final PageRuns runs = new PageRuns();

    PageByPage(ProcessMemory process, long va) {
      super(process, va);
      for (int i = 0; i < pages; i++) {
        mappings[i] = device.mapper.newMapping();
      }
      fault();
    }

    private long fault() {
      process.faultRange(va, length, FaultMode.WRITE, runs);
      int page = 0;
      for (int i = 0; i < runs.count(); i++) {
        for (long done = 0; done < runs.length(i); done += PAGE) {
          mappings[page++].map(runs.phys(i) + done, PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.REQUIRE_COHERENT);
        }
      }
      return page;
    }

    private void unmapAll() {
      for (DmaMapping mapping : mappings) {
        mapping.unmap();
      }
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        unmapAll();
        change();
        sum += fault();
      }
      return sum;
    }

    @Override
    public void close() {
      unmapAll();
      for (DmaMapping mapping : mappings) {
        mapping.close();
      }
      super.close();
    }
  }

  /** The entries of a device that costs nothing. */
  private static final class NoTable implements DevicePageTable {
    @Override
    public void set(long offset, long length, long dmaAddress, DmaDirection access) {
      // Nothing to tell.
    }

    @Override
    public void zap(long offset, long length) {
      // Nothing to tell.
    }

    @Override
    public void commit() {
      // Nobody to await.
    }
  }
}
