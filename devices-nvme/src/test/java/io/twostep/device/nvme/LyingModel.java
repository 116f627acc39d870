package io.twostep.device.nvme;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A controller whose registers say what a test wants; everything else is the model's. Registers are told and read in 32 bits. */
final class LyingModel implements DeviceModel {
  private final DeviceModel honest;
  private final Map<Long, Integer> lies = new ConcurrentHashMap<>();
  private final Map<Long, Runnable> watched = new ConcurrentHashMap<>();
  private volatile boolean silent;

  LyingModel(DeviceModel honest) {
    this.honest = honest;
  }

  /** Let the register at {@code offset} read {@code value} from now on. */
  void lie(int offset, int value) {
    lies.put((long) offset, value);
  }

  /** Let every register read all ones from now on, while the device goes on working. */
  void readAllOnes(boolean yes) {
    silent = yes;
  }

  /** Run {@code watcher} before every write to the register at {@code offset}. */
  void onWrite(int offset, Runnable watcher) {
    watched.put((long) offset, watcher);
  }

  /** Read the truth. */
  int truth(int offset) {
    return (int) honest.read(0, offset, Integer.BYTES);
  }

  @Override
  public long read(int bar, long offset, int width) {
    if (silent) {
      return -1;
    }
    Integer lie = bar == 0 && !lies.isEmpty() ? lies.get(offset) : null;
    return lie != null ? Integer.toUnsignedLong(lie) : honest.read(bar, offset, width);
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    Runnable watcher = bar == 0 && !watched.isEmpty() ? watched.get(offset) : null;
    if (watcher != null) {
      watcher.run();
    }
    honest.write(bar, offset, width, value);
  }

  @Override
  public Identity identity() {
    return honest.identity();
  }

  @Override
  public List<BarSpec> bars() {
    return honest.bars();
  }

  @Override
  public int vectors() {
    return honest.vectors();
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {
    honest.connect(bus, signals);
  }

  @Override
  public MemorySegment memory(int bar) {
    return honest.memory(bar);
  }

  @Override
  public void reset() {
    honest.reset();
  }

  @Override
  public boolean step(int budget) {
    return honest.step(budget);
  }

  @Override
  public void close() {
    honest.close();
  }
}
