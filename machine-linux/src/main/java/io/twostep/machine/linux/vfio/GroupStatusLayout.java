package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_group_status}.
 *
 * <pre>
 * | 0 argsz u32 | 4 flags u32 |
 * </pre>
 */
final class GroupStatusLayout {
  static final long FLAGS = 4;
  static final long SIZE = 8;

  /** All devices of the group are given up by their drivers. */
  static final int VIABLE = 1;

  private GroupStatusLayout() {}
}
