package io.twostep.device.nvme.model;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.Signals;
import java.lang.foreign.MemorySegment;

/** The bus and the signals of a model that is not plugged in yet: nothing answers, nobody hears. */
enum Unplugged implements BusMaster, Signals {
  INSTANCE;

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    return NOT_MASTER;
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    return NOT_MASTER;
  }

  @Override
  public void interrupt(int vector) {}

  @Override
  public void wake() {}

  @Override
  public void wakeAfter(long delayNanos) {}

  @Override
  public long nanoTime() {
    return 0;
  }
}
