package io.twostep.device.nvme;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A controller whose registers and descriptions say what a test wants; everything else is the model's. Registers are told and read in 32 bits. */
final class LyingModel implements DeviceModel {
  private static final int PAGE = 4096;

  private final DeviceModel honest;
  private final Map<Long, Integer> lies = new ConcurrentHashMap<>();
  private final Map<Long, Runnable> watched = new ConcurrentHashMap<>();
  private final Map<Integer, Byte> liesInPages = new ConcurrentHashMap<>();
  private volatile @Nullable Consumer<byte[]> pageChange;
  private volatile boolean silent;
  private volatile BusMaster bus;

  LyingModel(DeviceModel honest) {
    this.honest = honest;
  }

  /** Let the register at {@code offset} read {@code value} from now on. */
  void lie(int offset, int value) {
    lies.put((long) offset, value);
  }

  /** Let the byte at {@code offset} of whatever is written as a whole page, such as every identify structure, be {@code value} from now on. */
  void lieInPages(int offset, int value) {
    liesInPages.put(offset, (byte) value);
  }

  /** Let {@code change} change whatever is written as a whole page, from now on. */
  void changePages(Consumer<byte[]> change) {
    pageChange = change;
  }

  /** Tell whether the controller may master the bus. */
  boolean isMaster() {
    return bus.read(0, MemorySegment.ofArray(new byte[1]), 0, 1) != BusMaster.NOT_MASTER;
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
  public void connect(BusMaster to, Signals signals) {
    bus = to;
    honest.connect(
        new BusMaster() {
          @Override
          public int read(long dmaAddress, MemorySegment target, long offset, long length) {
            return to.read(dmaAddress, target, offset, length);
          }

          @Override
          public int write(long dmaAddress, MemorySegment source, long offset, long length) {
            return (liesInPages.isEmpty() && pageChange == null) || length != PAGE
                ? to.write(dmaAddress, source, offset, length)
                : to.write(dmaAddress, lied(source.asSlice(offset, length)), 0, length);
          }
        },
        signals);
  }

  private MemorySegment lied(MemorySegment page) {
    byte[] bytes = page.toArray(ValueLayout.JAVA_BYTE);
    liesInPages.forEach((at, value) -> bytes[at] = value);
    Consumer<byte[]> change = pageChange;
    if (change != null) {
      change.accept(bytes);
    }
    return MemorySegment.ofArray(bytes);
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
