package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_irq_info} and {@code struct vfio_irq_set}.
 *
 * <pre>
 * info  | 0 argsz u32 | 4 flags u32 | 8 index u32 | 12 count u32 |
 * set   | 0 argsz u32 | 4 flags u32 | 8 index u32 | 12 first u32 | 16 count u32 | 20 eventfd i32 ... |
 * </pre>
 */
final class InterruptLayout {
  static final long FLAGS = 4;
  static final long INDEX = 8;
  static final long INFO_COUNT = 12;
  static final long INFO_SIZE = 16;

  static final long SET_FIRST = 12;
  static final long SET_COUNT = 16;
  static final long SET_DATA = 20;

  /** The index can signal eventfds. */
  static final int EVENTFD = 1;

  static final int DATA_NONE = 1;
  static final int DATA_EVENTFD = 4;
  static final int ACTION_UNMASK = 0x10;
  static final int ACTION_TRIGGER = 0x20;

  static final int INDEX_INTX = 0;
  static final int INDEX_MSI = 1;
  static final int INDEX_MSIX = 2;

  private InterruptLayout() {}
}
