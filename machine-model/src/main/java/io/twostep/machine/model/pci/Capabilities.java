package io.twostep.machine.model.pci;

/**
 * The capabilities of a function's configuration space.
 *
 * <pre>
 *   0x34  -> 0x40 PCI Express endpoint, function-level reset -> 0x80 MSI-X
 *   0x100 access control services
 * </pre>
 */
final class Capabilities {
  static final int EXPRESS = 0x40;
  static final int DEVICE_CONTROL = EXPRESS + 8;
  static final int MSIX = 0x80;
  static final int MSIX_CONTROL = MSIX + 2;
  static final int ACCESS_CONTROL = 0x100;

  static final int FUNCTION_RESET = 1 << 15;
  static final int MSIX_ENABLE = 1 << 15;
  static final int MSIX_FUNCTION_MASK = 1 << 14;

  private static final int EXPRESS_ID = 0x10;
  private static final int EXPRESS_VERSION = 2;
  private static final int RESET_CAPABLE = 1 << 28;
  private static final int LARGEST_PAYLOAD = 1;
  private static final int CONTROL_WRITABLE = 0x7fff;
  private static final int MSIX_ID = 0x11;
  private static final int ACCESS_CONTROL_ID = 0x0d;
  /** Source validation, request and completion redirect, upstream forwarding. */
  private static final int ISOLATION = 0x1d;

  private Capabilities() {}

  /** Enter PCI Express with function-level reset, and access control if the machine isolates functions. */
  static void addExpress(ConfigRegisters config, boolean isolated) {
    config.set(ConfigRegisters.CAPABILITIES, 1, EXPRESS);
    config.set(EXPRESS, 1, EXPRESS_ID);
    config.set(EXPRESS + 2, 2, EXPRESS_VERSION);
    config.set(EXPRESS + 4, 4, RESET_CAPABLE | LARGEST_PAYLOAD);
    config.allow(DEVICE_CONTROL, 2, CONTROL_WRITABLE);
    if (isolated) {
      config.set(ACCESS_CONTROL, 2, ACCESS_CONTROL_ID);
      config.set(ACCESS_CONTROL + 2, 2, 1);
      config.set(ACCESS_CONTROL + 4, 2, ISOLATION);
      config.set(ACCESS_CONTROL + 6, 2, ISOLATION);
    }
  }

  /** Enter MSI-X with its table at the start of BAR {@code bar} and the pending bits at {@code pendingOffset} of it. */
  static void addMsix(ConfigRegisters config, int vectors, int bar, int pendingOffset) {
    config.set(EXPRESS + 1, 1, MSIX);
    config.set(MSIX, 1, MSIX_ID);
    config.set(MSIX_CONTROL, 2, vectors - 1);
    config.allow(MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    config.set(MSIX + 4, 4, bar);
    config.set(MSIX + 8, 4, pendingOffset | bar);
  }
}
