package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.dma.spi.Closing;
import java.util.List;

/** What is done to all devices of a guest, to each whatever became of those before it: what fails first is thrown, the rest suppressed in it. */
final class GuestDevices {
  private GuestDevices() {}

  /**
   * Let devices work, from whatever states they were left in. May be repeated if it failed.
   *
   * <p>All of them answer their peers before the first of them asks: a write to one that does not is lost. So none asks where one could not be made to answer.
   */
  static void run(List<MigratableDevice> devices) {
    new Closing().thenEach(devices, GuestDevices::answer).end();
    new Closing().thenEach(devices, device -> device.setState(DeviceState.RUNNING)).end();
  }

  private static void answer(MigratableDevice device) {
    if (device.features().peerToPeer() && !device.state().answersPeers()) {
      device.setState(DeviceState.RUNNING_P2P);
    }
  }

  /** Have devices forget what they were given of a guest. */
  static void reset(List<MigratableDevice> devices) {
    new Closing().thenEach(devices, MigratableDevice::reset).end();
  }
}
