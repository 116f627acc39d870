package io.twostep.platform;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.util.List;

/** Holds a place whose own model could not be made, to learn whether the place is right. */
final class VacantModel implements DeviceModel {
  @Override
  public Identity identity() {
    return new Identity(0, 0, 0, 0);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of();
  }

  @Override
  public int vectors() {
    return 0;
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {}

  @Override
  public long read(int bar, long offset, int width) {
    return -1;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {}

  @Override
  public void reset() {}

  @Override
  public boolean step(int budget) {
    return false;
  }

  @Override
  public void close() {}
}
