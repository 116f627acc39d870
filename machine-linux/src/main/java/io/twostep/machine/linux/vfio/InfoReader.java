package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.IoctlRequest;
import io.twostep.machine.linux.kernel.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Reads structures whose first field is their own size and that may have a chain of capabilities behind them. */
final class InfoReader {
  /** No capability of the kind. */
  static final long NONE = -1L;

  private static final int MOST_BYTES = 1 << 20;

  private InfoReader() {}

  /**
   * Read a structure: once to learn its size, which succeeds with the capabilities left out, and again if it is larger than {@code size}.
   *
   * @param index goes to offset 8, where structures have an index; -1 for none
   */
  static MemorySegment read(Kernel kernel, Descriptor on, IoctlRequest request, Arena arena, long size, int index) {
    MemorySegment info = ask(kernel, on, request, arena, size, index);
    int needed = info.get(JAVA_INT, 0);
    if (needed > MOST_BYTES) {
      throw new IllegalStateException(on.name() + ": " + request.name() + " wants a structure of " + Integer.toUnsignedString(needed) + " bytes");
    }
    return needed > size ? ask(kernel, on, request, arena, needed, index) : info;
  }

  private static MemorySegment ask(Kernel kernel, Descriptor on, IoctlRequest request, Arena arena, long size, int index) {
    MemorySegment info = arena.allocate(size, 8);
    info.set(JAVA_INT, 0, (int) size);
    if (index >= 0) {
      info.set(JAVA_INT, 8, index);
    }
    kernel.ioctl(on, request, info);
    return info;
  }

  /** Return where the first capability of a kind begins, at any alignment before Linux 6.6, or {@link #NONE}. Chains go forward only: one that does not is at its end. */
  static long capability(MemorySegment info, long first, int id) {
    long at = Integer.toUnsignedLong((int) first);
    long behind = 0;
    while (at > behind && at <= info.byteSize() - CapabilityLayout.SIZE) {
      if (Short.toUnsignedInt(info.get(JAVA_SHORT_UNALIGNED, at + CapabilityLayout.ID)) == id) {
        return at;
      }
      behind = at;
      at = Integer.toUnsignedLong(info.get(JAVA_INT_UNALIGNED, at + CapabilityLayout.NEXT));
    }
    return NONE;
  }
}
