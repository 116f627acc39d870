package io.twostep.machine.linux.kernel;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;

/** The kernel that this process runs on. */
final class NativeKernel implements Kernel {
  static final NativeKernel INSTANCE = new NativeKernel();

  private static final int EVENTFD_CLOSE_ON_EXEC_NON_BLOCKING = 0x80800;
  private static final int SOCKET_FLAGS = SocketLayout.SOCKET_CLOSE_ON_EXEC | SocketLayout.SOCKET_NON_BLOCKING;
  private static final int SEEK_END = 2;
  private static final int ADD_SEALS = 1033;
  private static final int SEAL_SEALS_SHRINK_GROW = 7;

  private final long pageSize = Libc.pageSize();

  private NativeKernel() {}

  @Override
  public long pageSize() {
    return pageSize;
  }

  @Override
  public Descriptor open(String path, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path);
      long result;
      do {
        result = Libc.open(name, flags | OpenFlags.CLOSE_ON_EXEC);
      } while (result == -Errno.EINTR);
      return new Descriptor((int) check("open", path, result), path);
    }
  }

  /** Never repeated: Linux has let go of the number even if a signal interrupted the call. */
  @Override
  public void close(Descriptor descriptor) {
    long result = Libc.close(descriptor.number());
    if (result != -Errno.EINTR) {
      check("close", descriptor, result);
    }
  }

  @Override
  public long read(Descriptor from, MemorySegment buffer) {
    long result;
    do {
      result = Libc.read(from.number(), buffer);
    } while (result == -Errno.EINTR);
    return result == -Errno.EAGAIN ? -1 : check("read", from, result);
  }

  @Override
  public long write(Descriptor to, MemorySegment buffer) {
    long result;
    do {
      result = Libc.write(to.number(), buffer);
    } while (result == -Errno.EINTR);
    return result == -Errno.EAGAIN ? -1 : check("write", to, result);
  }

  @Override
  public long pread(Descriptor from, MemorySegment buffer, long offset) {
    long result;
    do {
      result = Libc.pread(from.number(), buffer, offset);
    } while (result == -Errno.EINTR);
    return check("pread", from, result);
  }

  @Override
  public long pwrite(Descriptor to, MemorySegment buffer, long offset) {
    long result;
    do {
      result = Libc.pwrite(to.number(), buffer, offset);
    } while (result == -Errno.EINTR);
    return check("pwrite", to, result);
  }

  @Override
  public long size(Descriptor file) {
    return check("lseek", file, Libc.lseek(file.number(), 0, SEEK_END));
  }

  @Override
  public void truncate(Descriptor file, long length) {
    long result;
    do {
      result = Libc.ftruncate(file.number(), length);
    } while (result == -Errno.EINTR);
    check("ftruncate", file, result);
  }

  @Override
  public void sealSize(Descriptor file) {
    check("fcntl F_ADD_SEALS", file, Libc.fcntl(file.number(), ADD_SEALS, SEAL_SEALS_SHRINK_GROW));
  }

  @Override
  public int ioctl(Descriptor on, IoctlRequest request, MemorySegment structure) {
    long result;
    do {
      result = Libc.ioctl(on.number(), request.number(), structure);
    } while (result == -Errno.EINTR);
    return (int) check(request.name(), on, result);
  }

  @Override
  public int ioctl(Descriptor on, IoctlRequest request, long value) {
    long result;
    do {
      result = Libc.ioctl(on.number(), request.number(), value);
    } while (result == -Errno.EINTR);
    return (int) check(request.name(), on, result);
  }

  @SuppressWarnings("restricted")
  @Override
  public MemorySegment mmap(long length, int protection, int flags, Descriptor file, long offset) {
    long address = Libc.mmap(length, protection, flags, file.number(), offset);
    if (isError(address)) {
      check("mmap", file.equals(Descriptor.NONE) ? length + " bytes of memory" : file.name(), address);
    }
    return MemorySegment.ofAddress(address).reinterpret(length);
  }

  @Override
  public void munmap(MemorySegment mapped) {
    long result = Libc.munmap(mapped);
    if (result != 0) {
      check("munmap", "memory at 0x" + Long.toHexString(mapped.address()), result);
    }
  }

  @Override
  public Descriptor eventfd(String name) {
    return new Descriptor((int) check("eventfd", name, Libc.eventfd(0, EVENTFD_CLOSE_ON_EXEC_NON_BLOCKING)), name);
  }

  @Override
  public Descriptor memfd(String name, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      return new Descriptor(
          (int) check("memfd_create", name, Libc.memfd(arena.allocateFrom(name), flags | MapOptions.MEMFD_CLOSE_ON_EXEC)), name);
    }
  }

  @Override
  public int poll(List<Descriptor> descriptors, short[] events, short[] ready, long timeoutNanos) {
    CallBuffers buffers = CallBuffers.ofThread();
    int count = descriptors.size();
    MemorySegment polled = buffers.polled(count);
    for (int i = 0; i < count; i++) {
      buffers.poll(i, descriptors.get(i), events[i]);
    }
    long result = poll(buffers, polled, count, timeoutNanos);
    for (int i = 0; i < count; i++) {
      ready[i] = result <= 0 ? 0 : buffers.ready(i);
    }
    return (int) result;
  }

  @Override
  public short poll(Descriptor descriptor, short events, long timeoutNanos) {
    CallBuffers buffers = CallBuffers.ofThread();
    MemorySegment polled = buffers.polled(1);
    buffers.poll(0, descriptor, events);
    return poll(buffers, polled, 1, timeoutNanos) <= 0 ? 0 : buffers.ready(0);
  }

  private static long poll(CallBuffers buffers, MemorySegment polled, int count, long timeoutNanos) {
    long result = Libc.ppoll(polled, count, timeoutNanos < 0 ? MemorySegment.NULL : buffers.timespec(timeoutNanos));
    if (result == -Errno.EINTR) {
      return 0;
    }
    return result >= 0 ? result : check("ppoll", count + " descriptors", result);
  }

  @Override
  public Descriptor epoll(String name) {
    return new Descriptor((int) check("epoll_create1", name, Libc.epollCreate(SocketLayout.EPOLL_CLOSE_ON_EXEC)), name);
  }

  @Override
  public void epollAdd(Descriptor set, Descriptor member, int events, long token) {
    CallBuffers buffers = CallBuffers.ofThread();
    check("epoll_ctl", member, Libc.epollCtl(set.number(), SocketLayout.EPOLL_ADD, member.number(), buffers.epollEvent(events, token)));
  }

  @Override
  public void epollRemove(Descriptor set, Descriptor member) {
    check("epoll_ctl", member, Libc.epollCtl(set.number(), SocketLayout.EPOLL_REMOVE, member.number(), MemorySegment.NULL));
  }

  @Override
  public int epollWait(Descriptor set, long[] tokens, long timeoutNanos) {
    CallBuffers buffers = CallBuffers.ofThread();
    int most = Math.min(tokens.length, SocketLayout.EPOLL_MOST);
    long result = Libc.epollWait(set.number(), buffers.epollEvents(), most, millis(timeoutNanos));
    if (result == -Errno.EINTR) {
      return 0;
    }
    int count = (int) check("epoll_wait", set, result);
    for (int i = 0; i < count; i++) {
      tokens[i] = buffers.epollToken(i);
    }
    return count;
  }

  private static int millis(long nanos) {
    return nanos < 0 ? -1 : (int) Math.min(Math.ceilDiv(nanos, 1_000_000L), Integer.MAX_VALUE);
  }

  @Override
  public Descriptor socket(String name) {
    return new Descriptor(
        (int) check("socket", name, Libc.socket(SocketLayout.FAMILY_UNIX, SocketLayout.STREAM | SOCKET_FLAGS)), name);
  }

  @Override
  public void bind(Descriptor socket, String path) {
    try (Arena arena = Arena.ofConfined()) {
      check("bind", path, Libc.bind(socket.number(), SocketAddress.of(arena, path), (int) SocketLayout.ADDRESS_SIZE));
    }
  }

  @Override
  public void listen(Descriptor socket, int backlog) {
    check("listen", socket, Libc.listen(socket.number(), backlog));
  }

  @Override
  public Descriptor accept(Descriptor listener, String name) {
    long result;
    do {
      result = Libc.accept(listener.number(), SOCKET_FLAGS);
    } while (result == -Errno.EINTR);
    return new Descriptor((int) check("accept", listener, result), name);
  }

  @Override
  public void connect(Descriptor socket, String path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = SocketAddress.of(arena, path);
      long result;
      do {
        result = Libc.connect(socket.number(), address, (int) SocketLayout.ADDRESS_SIZE);
      } while (result == -Errno.EINTR);
      check("connect", path, result);
    }
  }

  @Override
  public void shutdown(Descriptor socket) {
    check("shutdown", socket, Libc.shutdown(socket.number(), SocketLayout.SHUTDOWN_BOTH));
  }

  @Override
  public long sendMessage(Descriptor socket, MemorySegment data, long offset, long length, List<Descriptor> passed) {
    MemorySegment message = CallBuffers.ofThread().outgoing(data, offset, length, passed);
    long result;
    try {
      do {
        result = Libc.sendmsg(socket.number(), message, SocketLayout.NO_SIGNAL);
      } while (result == -Errno.EINTR);
    } finally {
      Reference.reachabilityFence(data);
    }
    return result == -Errno.EAGAIN ? -1 : check("sendmsg", socket, result);
  }

  @Override
  public long receiveMessage(Descriptor socket, MemorySegment data, long offset, long length, PassedDescriptors passed) {
    passed.clear();
    CallBuffers buffers = CallBuffers.ofThread();
    MemorySegment message = buffers.incoming(data, offset, length, passed.room());
    long result;
    try {
      do {
        result = Libc.recvmsg(socket.number(), message, SocketLayout.CONTROL_CLOSE_ON_EXEC);
      } while (result == -Errno.EINTR);
    } finally {
      Reference.reachabilityFence(data);
    }
    if (result == -Errno.EAGAIN) {
      return -1;
    }
    check("recvmsg", socket, result);
    buffers.take(passed);
    return result;
  }

  private static long check(String call, Descriptor subject, long result) {
    return check(call, subject.name(), result);
  }

  private static long check(String call, String subject, long result) {
    if (isError(result)) {
      throw new SystemCallException(call, subject, (int) -result);
    }
    return result;
  }

  private static boolean isError(long result) {
    return result < 0 && result >= -4095;
  }
}
