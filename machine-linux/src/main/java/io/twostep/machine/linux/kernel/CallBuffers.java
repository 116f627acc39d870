package io.twostep.machine.linux.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

/** The structures of {@link SocketLayout} that a thread hands to the kernel call after call, so that a call allocates nothing. */
final class CallBuffers {
  private static final ThreadLocal<CallBuffers> OF_THREAD = ThreadLocal.withInitial(CallBuffers::new);
  private static final long NANOS = 1_000_000_000L;

  private final Arena arena = Arena.ofAuto();
  private final MemorySegment message = arena.allocate(SocketLayout.MESSAGE_SIZE, 8);
  private final MemorySegment vector = arena.allocate(SocketLayout.VECTOR_SIZE, 8);
  private final MemorySegment control = arena.allocate(SocketLayout.controlSpace(SocketLayout.MOST_DESCRIPTORS), 8);
  private final MemorySegment time = arena.allocate(SocketLayout.TIME_SIZE, 8);
  private final MemorySegment epoll = arena.allocate(SocketLayout.EPOLL_MOST * SocketLayout.EPOLL_SIZE, 8);
  private MemorySegment polled = arena.allocate(4 * SocketLayout.POLL_SIZE, 8);

  private CallBuffers() {
    message.set(JAVA_LONG, SocketLayout.MESSAGE_VECTOR, vector.address());
    message.set(JAVA_LONG, SocketLayout.MESSAGE_VECTOR_LENGTH, 1);
  }

  /** Return the calling thread's. */
  static CallBuffers ofThread() {
    return OF_THREAD.get();
  }

  /** Return a time span. */
  MemorySegment timespec(long nanos) {
    time.set(JAVA_LONG, 0, nanos / NANOS);
    time.set(JAVA_LONG, SocketLayout.TIME_NANOS, nanos % NANOS);
    return time;
  }

  /** Return room for {@code count} descriptors to poll. */
  MemorySegment polled(int count) {
    if (count * SocketLayout.POLL_SIZE > polled.byteSize()) {
      polled = Arena.ofAuto().allocate(2L * count * SocketLayout.POLL_SIZE, 8);
    }
    return polled;
  }

  /** Say what to poll a descriptor for. */
  void poll(int index, Descriptor descriptor, short events) {
    polled.set(JAVA_INT, index * SocketLayout.POLL_SIZE, descriptor.number());
    polled.set(JAVA_SHORT, index * SocketLayout.POLL_SIZE + SocketLayout.POLL_EVENTS, events);
    polled.set(JAVA_SHORT, index * SocketLayout.POLL_SIZE + SocketLayout.POLL_READY, (short) 0);
  }

  /** Return what a polled descriptor is ready for. */
  short ready(int index) {
    return polled.get(JAVA_SHORT, index * SocketLayout.POLL_SIZE + SocketLayout.POLL_READY);
  }

  /** Return what to wait for with a set, and what to tell of it. */
  MemorySegment epollEvent(int events, long token) {
    epoll.set(JAVA_INT, 0, events);
    epoll.set(JAVA_LONG_UNALIGNED, SocketLayout.EPOLL_DATA, token);
    return epoll;
  }

  /** Return room for what a wait tells of {@link SocketLayout#EPOLL_MOST} members. */
  MemorySegment epollEvents() {
    return epoll;
  }

  /** Return the token of a member that a wait told of. */
  long epollToken(int index) {
    return epoll.get(JAVA_LONG_UNALIGNED, index * SocketLayout.EPOLL_SIZE + SocketLayout.EPOLL_DATA);
  }

  /** Return a message that carries a range of native memory and descriptors out. */
  MemorySegment outgoing(MemorySegment data, long offset, long length, List<Descriptor> passed) {
    if (passed.isEmpty()) {
      return message(data, offset, length, 0);
    }
    if (passed.size() > SocketLayout.MOST_DESCRIPTORS) {
      throw new IllegalArgumentException(passed.size() + " descriptors: a message carries up to " + SocketLayout.MOST_DESCRIPTORS);
    }
    control.set(JAVA_LONG, 0, SocketLayout.CONTROL_DATA + 4L * passed.size());
    control.set(JAVA_INT, SocketLayout.CONTROL_LEVEL, SocketLayout.LEVEL_SOCKET);
    control.set(JAVA_INT, SocketLayout.CONTROL_TYPE, SocketLayout.RIGHTS);
    for (int i = 0; i < passed.size(); i++) {
      control.set(JAVA_INT, SocketLayout.CONTROL_DATA + 4L * i, passed.get(i).number());
    }
    return message(data, offset, length, SocketLayout.controlSpace(passed.size()));
  }

  /** Return a message that takes bytes into a range of native memory, and descriptors, into exactly the room asked for: padding would let one more through. */
  MemorySegment incoming(MemorySegment data, long offset, long length, int descriptors) {
    return message(data, offset, length, descriptors == 0 ? 0 : SocketLayout.CONTROL_DATA + 4L * descriptors);
  }

  private MemorySegment message(MemorySegment data, long offset, long length, long controlLength) {
    Objects.checkFromIndexSize(offset, length, data.byteSize());
    if (!data.isNative()) {
      throw new IllegalArgumentException("a message's bytes lie outside the heap");
    }
    vector.set(JAVA_LONG, 0, data.address() + offset);
    vector.set(JAVA_LONG, SocketLayout.VECTOR_LENGTH, length);
    message.set(JAVA_LONG, SocketLayout.MESSAGE_CONTROL, controlLength == 0 ? 0 : control.address());
    message.set(JAVA_LONG, SocketLayout.MESSAGE_CONTROL_LENGTH, controlLength);
    message.set(JAVA_INT, SocketLayout.MESSAGE_FLAGS, 0);
    return message;
  }

  /** Hand the descriptors that came with the last incoming message to {@code passed}; the kernel has joined them into one structure. */
  void take(PassedDescriptors passed) {
    passed.truncated((message.get(JAVA_INT, SocketLayout.MESSAGE_FLAGS) & SocketLayout.CONTROL_TRUNCATED) != 0);
    long length = message.get(JAVA_LONG, SocketLayout.MESSAGE_CONTROL_LENGTH);
    if (length < SocketLayout.CONTROL_DATA
        || control.get(JAVA_INT, SocketLayout.CONTROL_LEVEL) != SocketLayout.LEVEL_SOCKET
        || control.get(JAVA_INT, SocketLayout.CONTROL_TYPE) != SocketLayout.RIGHTS) {
      return;
    }
    long end = Math.min(length, control.get(JAVA_LONG, 0));
    for (long at = SocketLayout.CONTROL_DATA; at + 4 <= end; at += 4) {
      passed.add(control.get(JAVA_INT, at));
    }
  }
}
