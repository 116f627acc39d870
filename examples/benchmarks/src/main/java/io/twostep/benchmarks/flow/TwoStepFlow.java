package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.IovaReservation;

/** Reserve n pages, link them one call each, sync once, destroy. */
final class TwoStepFlow implements Flow {
  private final MappedDevice device;
  private final int n;
  private final long pageLength;

  private TwoStepFlow(FlowCase of, long pageLength) {
    device = MappedDevice.on(of.stack());
    n = of.n();
    this.pageLength = pageLength;
  }

  static TwoStepFlow ofPages(FlowCase of) {
    return new TwoStepFlow(of, 4096);
  }

  static TwoStepFlow ofHugePages(FlowCase of) {
    return new TwoStepFlow(of, HugePages.LENGTH);
  }

  @Override
  public Worker worker(int index, int workers) {
    long[] phys = pageLength == 4096 ? new ScatteredPages(n, index).phys : HugePages.draw(n, index);
    return new Linker(device.mapper.newReservation(), phys, pageLength);
  }

  @Override
  public void close() {
    device.close();
  }

  private static final class Linker implements Worker {
    private final IovaReservation reservation;
    private final long[] phys;
    private final long pageLength;

    private Linker(IovaReservation reservation, long[] phys, long pageLength) {
      this.reservation = reservation;
      this.phys = phys;
      this.pageLength = pageLength;
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        sum += linkAll();
      }
      return sum;
    }

    private long linkAll() {
      IovaReservation r = reservation;
      long length = phys.length * pageLength;
      r.tryAlloc(0, length, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
      long offset = 0;
      for (long page : phys) {
        r.link(offset, page, pageLength);
        offset += pageLength;
      }
      r.sync(0, length);
      long address = r.address();
      r.destroy();
      return address;
    }

    @Override
    public void close() {
      reservation.close();
    }
  }
}
