package io.twostep.machine.linux.kernel;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The C library's system calls with the kernel's own convention: a result, or the negated error number.
 *
 * <p>Handles are constants, so that a warm call is a plain call; the error number is read from a slot that each thread keeps.
 */
final class Libc {
  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final ThreadLocal<MemorySegment> CAPTURED =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

  private static final MethodHandle OPEN = variadic("open", 2, FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
  private static final MethodHandle CLOSE = plain("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle READ = plain("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle WRITE = plain("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle PREAD = plain("pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle PWRITE = plain("pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle LSEEK = plain("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
  private static final MethodHandle TRUNCATE = plain("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle IOCTL_ADDRESS = variadic("ioctl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS));
  private static final MethodHandle IOCTL_VALUE = variadic("ioctl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle FCNTL = variadic("fcntl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle MMAP =
      plain("mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle MUNMAP = plain("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle EVENTFD = plain("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle MEMFD = plain("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle PPOLL = plain("ppoll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));
  private static final MethodHandle EPOLL_CREATE = plain("epoll_create1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle EPOLL_CTL = plain("epoll_ctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle EPOLL_WAIT = plain("epoll_wait", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
  private static final MethodHandle SOCKET = plain("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle BIND = plain("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle LISTEN = plain("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle ACCEPT = plain("accept4", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle CONNECT = plain("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SHUTDOWN = plain("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SENDMSG = plain("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle RECVMSG = plain("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle PAGE_SIZE = plain("getpagesize", FunctionDescriptor.of(JAVA_INT));

  private Libc() {}

  static long open(MemorySegment path, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) OPEN.invokeExact(state, path, flags, 0));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long close(int fd) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) CLOSE.invokeExact(state, fd));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long read(int fd, MemorySegment buffer) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) READ.invokeExact(state, fd, buffer, buffer.byteSize()));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long write(int fd, MemorySegment buffer) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) WRITE.invokeExact(state, fd, buffer, buffer.byteSize()));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long pread(int fd, MemorySegment buffer, long offset) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) PREAD.invokeExact(state, fd, buffer, buffer.byteSize(), offset));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long pwrite(int fd, MemorySegment buffer, long offset) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) PWRITE.invokeExact(state, fd, buffer, buffer.byteSize(), offset));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long lseek(int fd, long offset, int whence) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) LSEEK.invokeExact(state, fd, offset, whence));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long ftruncate(int fd, long length) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) TRUNCATE.invokeExact(state, fd, length));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long fcntl(int fd, int command, int value) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) FCNTL.invokeExact(state, fd, command, value));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long ioctl(int fd, long request, MemorySegment structure) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) IOCTL_ADDRESS.invokeExact(state, fd, request, structure));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long ioctl(int fd, long request, long value) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) IOCTL_VALUE.invokeExact(state, fd, request, value));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long mmap(long length, int protection, int flags, int fd, long offset) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) MMAP.invokeExact(state, 0L, length, protection, flags, fd, offset));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long munmap(MemorySegment mapped) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) MUNMAP.invokeExact(state, mapped, mapped.byteSize()));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long eventfd(int initial, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) EVENTFD.invokeExact(state, initial, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long memfd(MemorySegment name, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) MEMFD.invokeExact(state, name, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long ppoll(MemorySegment polled, long count, MemorySegment timeout) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) PPOLL.invokeExact(state, polled, count, timeout, MemorySegment.NULL));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long epollCreate(int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) EPOLL_CREATE.invokeExact(state, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long epollCtl(int set, int operation, int member, MemorySegment event) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) EPOLL_CTL.invokeExact(state, set, operation, member, event));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long epollWait(int set, MemorySegment events, int most, int timeoutMillis) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) EPOLL_WAIT.invokeExact(state, set, events, most, timeoutMillis));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long socket(int family, int type) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) SOCKET.invokeExact(state, family, type, 0));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long bind(int fd, MemorySegment address, int length) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) BIND.invokeExact(state, fd, address, length));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long listen(int fd, int backlog) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) LISTEN.invokeExact(state, fd, backlog));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long accept(int fd, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) ACCEPT.invokeExact(state, fd, MemorySegment.NULL, MemorySegment.NULL, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long connect(int fd, MemorySegment address, int length) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) CONNECT.invokeExact(state, fd, address, length));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long shutdown(int fd, int how) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (int) SHUTDOWN.invokeExact(state, fd, how));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long sendmsg(int fd, MemorySegment message, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) SENDMSG.invokeExact(state, fd, message, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long recvmsg(int fd, MemorySegment message, int flags) {
    MemorySegment state = CAPTURED.get();
    try {
      return result(state, (long) RECVMSG.invokeExact(state, fd, message, flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  static long pageSize() {
    MemorySegment state = CAPTURED.get();
    try {
      return (int) PAGE_SIZE.invokeExact(state);
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  private static long result(MemorySegment state, long returned) {
    return returned == -1 ? -state.get(JAVA_INT, 0) : returned;
  }

  /** What a handle throws besides our own refusals would be a mistake in its type. */
  private static RuntimeException broken(Throwable e) {
    if (e instanceof RuntimeException unchecked) {
      return unchecked;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(e);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle plain(String name, FunctionDescriptor type) {
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, ERRNO);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle variadic(String name, int first, FunctionDescriptor type) {
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, ERRNO, Linker.Option.firstVariadicArg(first));
  }
}
