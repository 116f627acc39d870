package io.twostep.machine.linux.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** Builds the address of a socket, as {@link SocketLayout} has it. */
final class SocketAddress {
  private SocketAddress() {}

  /**
   * Build the address of the socket at a path of the file system.
   *
   * @throws IllegalArgumentException if the path is longer than the structure holds
   */
  static MemorySegment of(Arena arena, String path) {
    byte[] name = path.getBytes(StandardCharsets.UTF_8);
    if (name.length == 0 || name.length >= SocketLayout.PATH_ROOM) {
      throw new IllegalArgumentException(
          path + ": a socket's path has 1 to " + (SocketLayout.PATH_ROOM - 1) + " bytes, this one " + name.length + "; choose a shorter folder");
    }
    MemorySegment address = arena.allocate(SocketLayout.ADDRESS_SIZE, 8);
    address.set(JAVA_SHORT, 0, (short) SocketLayout.FAMILY_UNIX);
    MemorySegment.copy(name, 0, address, JAVA_BYTE, SocketLayout.ADDRESS_PATH, name.length);
    return address;
  }
}
