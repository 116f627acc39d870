package io.twostep.machine.linux.fake;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A device model behind the registers of a {@link FakeDevice}: it works whenever one of them is accessed, and reaches memory as the device. */
public final class ModelInSlot implements FakeDevice.Registers, BusMaster, DeviceModel.Signals {
  private static final int MOST_STEPS = 64;

  private final FakeDevice device;
  private final DeviceModel model;
  private boolean awake;

  private ModelInSlot(FakeDevice device, DeviceModel model) {
    this.device = device;
    this.model = model;
  }

  /** Have a model answer for a device's BAR 0. */
  public static void plug(FakeDevice device, DeviceModel model) {
    ModelInSlot plugged = new ModelInSlot(device, model);
    model.connect(plugged, plugged);
    device.answerWith(plugged);
  }

  @Override
  public long read(long offset, int width) {
    work();
    return model.read(0, offset, width);
  }

  @Override
  public void write(long offset, int width, long value) {
    model.write(0, offset, width, value);
    work();
  }

  /** Steps that are left over come with the next access. */
  private void work() {
    for (int i = 0; awake && i < MOST_STEPS; i++) {
      awake = model.step(1);
    }
  }

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    byte[] bytes = device.dmaRead(dmaAddress, (int) length);
    if (bytes == null) {
      return UNSUPPORTED_REQUEST;
    }
    MemorySegment.copy(bytes, 0, target, ValueLayout.JAVA_BYTE, offset, (int) length);
    return OK;
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    return device.dmaWrite(dmaAddress, source.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE)) ? OK : UNSUPPORTED_REQUEST;
  }

  @Override
  public void interrupt(int vector) {
    device.interrupt(vector);
  }

  @Override
  public void wake() {
    awake = true;
  }

  @Override
  public void wakeAfter(long delayNanos) {
    awake = true;
  }

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }
}
