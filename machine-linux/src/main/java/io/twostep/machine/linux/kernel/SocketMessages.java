package io.twostep.machine.linux.kernel;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Builds and reads the structures of {@link SocketLayout}. */
final class SocketMessages {
  private SocketMessages() {}

  /**
   * Build the address of a socket in the file system.
   *
   * @throws IllegalArgumentException if the path is longer than the structure holds
   */
  static MemorySegment address(Arena arena, String path) {
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

  static MemorySegment outgoing(Arena arena, MemorySegment data, List<Descriptor> passed) {
    if (passed.isEmpty()) {
      return message(arena, data, MemorySegment.NULL, 0);
    }
    MemorySegment control = arena.allocate(SocketLayout.controlSpace(passed.size()), 8);
    control.set(JAVA_LONG, 0, SocketLayout.CONTROL_DATA + 4L * passed.size());
    control.set(JAVA_INT, SocketLayout.CONTROL_LEVEL, SocketLayout.LEVEL_SOCKET);
    control.set(JAVA_INT, SocketLayout.CONTROL_TYPE, SocketLayout.RIGHTS);
    for (int i = 0; i < passed.size(); i++) {
      control.set(JAVA_INT, SocketLayout.CONTROL_DATA + 4L * i, passed.get(i).number());
    }
    return message(arena, data, control, control.byteSize());
  }

  static MemorySegment incoming(Arena arena, MemorySegment data, int maxDescriptors) {
    if (maxDescriptors == 0) {
      return message(arena, data, MemorySegment.NULL, 0);
    }
    // Exactly the room asked for: padding would let one descriptor more through.
    MemorySegment control = arena.allocate(SocketLayout.controlSpace(maxDescriptors), 8);
    return message(arena, data, control, SocketLayout.CONTROL_DATA + 4L * maxDescriptors);
  }

  static boolean truncated(MemorySegment message) {
    return (message.get(JAVA_INT, SocketLayout.MESSAGE_FLAGS) & SocketLayout.CONTROL_TRUNCATED) != 0;
  }

  /** Read the descriptors that came with a message; the kernel has joined those of one message into one structure. */
  @SuppressWarnings("restricted")
  static List<Descriptor> descriptors(MemorySegment message, String from) {
    long length = message.get(JAVA_LONG, SocketLayout.MESSAGE_CONTROL_LENGTH);
    List<Descriptor> descriptors = new ArrayList<>();
    if (length >= SocketLayout.CONTROL_DATA) {
      MemorySegment control = message.get(ADDRESS, SocketLayout.MESSAGE_CONTROL).reinterpret(length);
      if (control.get(JAVA_INT, SocketLayout.CONTROL_LEVEL) == SocketLayout.LEVEL_SOCKET
          && control.get(JAVA_INT, SocketLayout.CONTROL_TYPE) == SocketLayout.RIGHTS) {
        long end = Math.min(length, control.get(JAVA_LONG, 0));
        for (long at = SocketLayout.CONTROL_DATA; at + 4 <= end; at += 4) {
          descriptors.add(new Descriptor(control.get(JAVA_INT, at), "descriptor received from " + from));
        }
      }
    }
    return descriptors;
  }

  private static MemorySegment message(Arena arena, MemorySegment data, MemorySegment control, long controlLength) {
    MemorySegment vector = arena.allocate(SocketLayout.VECTOR_SIZE, 8);
    vector.set(ADDRESS, 0, data);
    vector.set(JAVA_LONG, SocketLayout.VECTOR_LENGTH, data.byteSize());
    MemorySegment message = arena.allocate(SocketLayout.MESSAGE_SIZE, 8);
    message.set(ADDRESS, SocketLayout.MESSAGE_VECTOR, vector);
    message.set(JAVA_LONG, SocketLayout.MESSAGE_VECTOR_LENGTH, 1);
    message.set(ADDRESS, SocketLayout.MESSAGE_CONTROL, control);
    message.set(JAVA_LONG, SocketLayout.MESSAGE_CONTROL_LENGTH, controlLength);
    return message;
  }
}
