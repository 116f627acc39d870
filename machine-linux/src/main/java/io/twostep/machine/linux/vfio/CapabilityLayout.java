package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_info_cap_header}: a chain of offsets from the start of the structure that it belongs to.
 *
 * <pre>
 * | 0 id u16 | 2 version u16 | 4 next u32, 0 at the end |
 * </pre>
 */
final class CapabilityLayout {
  static final long ID = 0;
  static final long NEXT = 4;
  static final long SIZE = 8;

  private CapabilityLayout() {}
}
