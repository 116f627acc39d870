package io.twostep.benchmarks.flow;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.spi.LayerBackend;
import java.util.List;
import java.util.function.Supplier;

/** Every kind of handle through one terminal with a layer above: not measured, but run so that what is measured afterwards shares its code with layered stacks. */
final class LayeredFlow implements Flow {
  private static final int PAGES = 32;

  private static final List<Supplier<LayerBackend>> LAYERS =
      List.of(() -> new DebugBackend(DebugConfig.defaults().with(false, true)), () -> new SwiotlbBackend(SwiotlbConfig.defaults()));

  private final LayerBackend layer;
  private final MappedDevice device;

  private LayeredFlow(FlowCase of, LayerBackend layer) {
    this.layer = layer;
    device = MappedDevice.on(of.stack(), layer);
  }

  /** Run every terminal with every layer, and return how many stacks that were. */
  static int exercise(FlowTimer timer) throws InterruptedException {
    int stacks = 0;
    for (String format : List.of(FlowCase.VTD, FlowCase.AMD, FlowCase.DIRECT)) {
      for (Supplier<LayerBackend> layer : LAYERS) {
        FlowCase of = new FlowCase("layered", format, PAGES, PAGES, 1);
        try (LayeredFlow flow = new LayeredFlow(of, layer.get())) {
          timer.measure(of, flow);
          stacks++;
        }
      }
    }
    return stacks;
  }

  @Override
  public Worker worker(int index, int workers) {
    return new All(device, new ScatteredPages(PAGES, index));
  }

  @Override
  public void close() {
    device.close();
    layer.close();
  }

  private static final class All implements Worker {
    private final ScatteredPages pages;
    private final DmaMapping mapping;
    private final DmaTransfer transfer;
    private final IovaReservation reservation;
    private final EntryStore entries = new EntryStore(PAGES);

    private All(MappedDevice device, ScatteredPages pages) {
      this.pages = pages;
      mapping = device.mapper.newMapping();
      transfer = device.mapper.newTransfer();
      reservation = device.mapper.newReservation();
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        sum += mapping.map(pages.phys[0], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE).dmaAddress();
        mapping.unmap();
        entries.clear();
        transfer.map(pages, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, entries);
        sum += entries.last();
        transfer.unmap();
        sum += twoSteps();
      }
      return sum;
    }

    private long twoSteps() {
      if (!reservation.tryAlloc(0, PAGES * 4096L, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
        return 0;
      }
      for (int page = 0; page < PAGES; page++) {
        reservation.link(page * 4096L, pages.phys[page], 4096);
      }
      reservation.sync(0, PAGES * 4096L);
      long address = reservation.address();
      reservation.destroy();
      return address;
    }

    @Override
    public void close() {
      mapping.close();
      transfer.close();
      reservation.close();
    }
  }
}
