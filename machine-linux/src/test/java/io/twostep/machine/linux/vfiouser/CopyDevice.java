package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A device that copies memory: source, target and length in three registers, started by a doorbell; it counts what it did, tells the last status and signals vector 0.
 *
 * <p>BAR 0 is registers, BAR 2 is 8 KiB of memory.
 */
public final class CopyDevice implements DeviceModel {
  public static final long SOURCE = 0x00;
  public static final long TARGET = 0x08;
  public static final long LENGTH = 0x10;
  public static final long DONE = 0x18;
  public static final long STATUS = 0x1c;
  public static final long RESETS = 0x20;
  public static final long FAIL = 0x24;
  public static final long DELAY = 0x28;
  public static final long DOORBELL = 0x1000;
  public static final long BAR_LENGTH = 0x2000;

  private static final long MOST = 1 << 24;

  private final MemorySegment memory = Arena.ofAuto().allocate(0x2000);
  private MemorySegment passing = Arena.ofAuto().allocate(0x1000);
  private BusMaster bus;
  private Signals signals;
  private long source;
  private long target;
  private long length;
  private long delay;
  private int asked;
  private int done;
  private int status;
  private int resets;
  private Runnable beforeClose = () -> {};
  private boolean closed;

  /** Create a device that has copied nothing yet. */
  public CopyDevice() {}

  @Override
  public Identity identity() {
    return new Identity(0x1b36, 0x0777, 0x088000, 3);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(
        new BarSpec(Bar.Kind.REGISTERS, BAR_LENGTH), BarSpec.NONE, new BarSpec(Bar.Kind.MEMORY, memory.byteSize()));
  }

  @Override
  public int vectors() {
    return 4;
  }

  @Override
  public void connect(BusMaster newBus, Signals newSignals) {
    bus = newBus;
    signals = newSignals;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return switch ((int) offset) {
      case (int) SOURCE -> source;
      case (int) TARGET -> target;
      case (int) LENGTH -> length;
      case (int) DONE -> done;
      case (int) STATUS -> status;
      case (int) RESETS -> resets;
      default -> 0;
    };
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    switch ((int) offset) {
      case (int) SOURCE -> source = value;
      case (int) TARGET -> target = value;
      case (int) LENGTH -> length = value;
      case (int) DELAY -> delay = value;
      case (int) FAIL -> throw new IllegalStateException("a register that breaks");
      case (int) DOORBELL -> {
        asked++;
        if (delay > 0) {
          signals.wakeAfter(delay);
        } else {
          signals.wake();
        }
      }
      default -> {}
    }
  }

  @Override
  public MemorySegment memory(int bar) {
    return memory;
  }

  @Override
  public boolean step(int budget) {
    if (asked == 0) {
      return false;
    }
    asked--;
    if (length > passing.byteSize()) {
      passing = Arena.ofAuto().allocate(Math.min(length, MOST));
    }
    status = bus.read(source, passing, 0, length);
    if (status == BusMaster.OK) {
      status = bus.write(target, passing, 0, length);
    }
    done++;
    signals.interrupt(0);
    return asked > 0;
  }

  @Override
  public void reset() {
    source = 0;
    target = 0;
    length = 0;
    delay = 0;
    asked = 0;
    done = 0;
    status = 0;
    resets++;
  }

  @Override
  public void close() {
    beforeClose.run();
    closed = true;
  }

  /** Have something done whenever it is closed, before it is. */
  public void beforeClose(Runnable hook) {
    beforeClose = hook;
  }

  public boolean isClosed() {
    return closed;
  }
}
