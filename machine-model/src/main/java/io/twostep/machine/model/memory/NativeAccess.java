package io.twostep.machine.model.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Give a block's segment a lifetime of its own, where that is allowed.
 *
 * <p>Rebinding a segment is a restricted method. With {@code --enable-native-access} for this module a segment dies with its block; without it, rather
 * than print a warning on a newcomer's screen, the segment lives as long as the machine.
 */
final class NativeAccess {
  private static final boolean ENABLED = NativeAccess.class.getModule().isNativeAccessEnabled();

  private NativeAccess() {}

  static boolean enabled() {
    return ENABLED;
  }

  @SuppressWarnings("restricted")
  static MemorySegment bind(MemorySegment segment, Arena arena) {
    return segment.reinterpret(arena, null);
  }
}
