package io.twostep.benchmarks.flow;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.benchmarks.machine.BenchMachine;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/** Find the physical address behind a random I/O address of a window of 1 GiB that is linked whole, by a walk of its table. */
final class LookupFlow implements Flow {
  private static final long WINDOW = 1L << 30;
  private static final int PAGES = (int) (WINDOW / 4096);

  private final BenchMachine machine;
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
  private final DmaOps ops;
  private final MappingState state = new MappingState(0);

  LookupFlow(FlowCase of) {
    machine = BenchMachine.translated(of.stack());
    DeviceSlot slot = machine.slots().getFirst();
    ops = backend.attach(new AttachContext(machine, slot, machine.addressSpaceFor(slot), DeviceLimits.UNLIMITED, -1));
    Retirement undo = new Retirement();
    int flags = MapFlags.ACCESS | MapFlags.WINDOW | MapFlags.STRICT;
    state.maxLeaf = 4096;
    ops.reserve(state, 0, WINDOW, 4096, -1L, flags);
    long[] phys = new ScatteredPages(PAGES, 1).phys;
    for (int page = 0; page < PAGES; page++) {
      ops.link(state, page * 4096L, phys[page], 4096, flags, undo);
    }
    ops.publish(state, 0, WINDOW, undo);
    undo.complete();
  }

  @Override
  public Worker worker(int index, int workers) {
    Draw draw = new Draw(index + 1);
    return operations -> {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        sum += ops.physOf(state, draw.below(PAGES) * 4096L);
      }
      return sum;
    };
  }

  @Override
  public void close() {
    Retirement batch = new Retirement();
    ops.release(state, batch);
    batch.complete();
    ops.close();
    backend.close();
    machine.close();
  }
}
