package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.SaveStream;
import io.twostep.device.vfio.state.DeviceState;
import java.nio.ByteBuffer;

/** One device of a guest at the source, and what is still to be sent of it. */
final class SourceDevice {
  private final MigratableDevice device;
  private final int number;
  private boolean drained;

  SourceDevice(MigratableDevice device, int number) {
    this.device = device;
    this.number = number;
  }

  /** Begin to send what the device can tell while it runs. */
  void start() {
    if (device.features().preCopy()) {
      device.setState(DeviceState.PRE_COPY);
    }
    drained = false;
  }

  /** Begin to send what the device saved; returns the bytes that would be left to save while it runs. */
  long newRound() {
    drained = false;
    return device.state().isPreCopy() ? device.saveStream().dirtyBytes() : device.mostBytes();
  }

  /** Let no DMA be started, where the device can do that and still answer its peers. */
  void quiesce() {
    if (device.features().peerToPeer()) {
      device.setState(device.state() == DeviceState.PRE_COPY ? DeviceState.PRE_COPY_P2P : DeviceState.RUNNING_P2P);
    }
  }

  void stop() {
    device.setState(DeviceState.STOP_COPY);
    drained = false;
  }

  /** Stage a piece of the device's stream; returns whether there was one. */
  boolean stage(ChannelWriter to, ByteBuffer piece) {
    if (drained || !device.state().saves()) {
      return false;
    }
    piece.clear().limit(Math.min(piece.capacity(), to.room() - 2 * Integer.BYTES));
    int count = device.saveStream().read(piece);
    if (count < 0) {
      drained = count == SaveStream.END || count == SaveStream.NO_DATA_YET;
      return false;
    }
    to.begin(ChannelTags.DEVICE, false, 2 * Integer.BYTES + count).putInt(number).putInt(0).put(piece.flip());
    to.finish();
    return true;
  }

  /** Leave the device stopped for good: its guest is elsewhere. */
  void handOver() {
    device.setState(DeviceState.STOP);
  }
}
