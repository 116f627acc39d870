package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_device_info}.
 *
 * <pre>
 * | 0 argsz u32 | 4 flags u32 | 8 regions u32 | 12 interrupt indexes u32 | 16 first capability u32 | 20 pad |
 * </pre>
 */
final class DeviceInfoLayout {
  static final long FLAGS = 4;
  static final long REGIONS = 8;
  static final long INTERRUPTS = 12;
  static final long SIZE = 24;

  /** The function can be reset alone. */
  static final int CAN_RESET = 1;

  /** The device is a PCI function. */
  static final int PCI = 2;

  private DeviceInfoLayout() {}
}
