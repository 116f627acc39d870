package io.twostep.examples.copy;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A device that copies memory: three 64-bit registers, a doorbell, a status, an interrupt. */
public final class CopyEngine implements DeviceModel {
  static final Identity IDENTITY = new Identity(0x1234, 0xc0de, 0x088000, 1);
  static final int SOURCE = 0x00;
  static final int TARGET = 0x08;
  static final int LENGTH = 0x10;
  static final int DOORBELL = 0x18;
  static final int STATUS = 0x1c;
  static final int DONE = 1;
  static final int FAILED = 2;

  private final long[] registers = new long[3];
  private final MemorySegment buffer = MemorySegment.ofArray(new byte[4096]);
  private @Nullable BusMaster bus;
  private @Nullable Signals signals;
  private boolean busy;
  private long done;
  private int status;

  @Override
  public Identity identity() {
    return IDENTITY;
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(new BarSpec(Bar.Kind.REGISTERS, 4096));
  }

  @Override
  public int vectors() {
    return 1;
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {
    this.bus = bus;
    this.signals = signals;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return offset == STATUS ? status : 0;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    if (offset < DOORBELL && offset % 8 == 0) {
      registers[(int) offset / 8] = value;
    } else if (offset == DOORBELL) {
      busy = true;
      done = 0;
      status = 0;
      Objects.requireNonNull(signals).wake();
    }
  }

  /** Copy a buffer at a time; whatever the bus refuses ends the copy. */
  @Override
  public boolean step(int budget) {
    BusMaster memory = Objects.requireNonNull(bus);
    for (int i = 0; i < budget && busy; i++) {
      long length = Math.min(buffer.byteSize(), registers[LENGTH / 8] - done);
      boolean copied =
          memory.read(registers[SOURCE / 8] + done, buffer, 0, length) == BusMaster.OK
              && memory.write(registers[TARGET / 8] + done, buffer, 0, length) == BusMaster.OK;
      done += length;
      if (!copied || done == registers[LENGTH / 8]) {
        busy = false;
        status = copied ? DONE : FAILED;
        Objects.requireNonNull(signals).interrupt(0);
      }
    }
    return busy;
  }

  @Override
  public void reset() {
    Arrays.fill(registers, 0);
    busy = false;
    status = 0;
  }

  @Override
  public void close() {}
}
