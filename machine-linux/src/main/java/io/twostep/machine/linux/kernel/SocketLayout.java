package io.twostep.machine.linux.kernel;

/**
 * Structures of UNIX sockets and of polling on 64-bit Linux; offsets in bytes.
 *
 * <pre>
 * sockaddr_un 110   | 0 family u16 | 2 path, 108 bytes, ends with 0 |
 * msghdr       56   | 0 name* | 8 namelen u32 | 16 iov* | 24 iovlen | 32 control* | 40 controllen | 48 flags i32 |
 * iovec        16   | 0 base* | 8 length |
 * cmsghdr      16   | 0 length | 8 level i32 | 12 type i32 | 16 data, padded to 8 |
 * pollfd        8   | 0 fd i32 | 4 events i16 | 6 ready i16 |
 * epoll_event  12   | 0 events u32 | 4 data u64 |            x86-64: packed; elsewhere 16 bytes, data at 8
 * timespec     16   | 0 seconds | 8 nanoseconds |
 * </pre>
 */
final class SocketLayout {
  static final int FAMILY_UNIX = 1;
  static final int STREAM = 1;
  static final int SOCKET_CLOSE_ON_EXEC = 0x80000;
  static final int SOCKET_NON_BLOCKING = 0x800;
  static final int SHUTDOWN_BOTH = 2;
  static final int LEVEL_SOCKET = 1;
  static final int RIGHTS = 1;
  static final int NO_SIGNAL = 0x4000;
  static final int CONTROL_TRUNCATED = 0x8;
  static final int CONTROL_CLOSE_ON_EXEC = 0x40000000;

  /** Descriptors that Linux passes with one message (SCM_MAX_FD). */
  static final int MOST_DESCRIPTORS = 253;

  static final long ADDRESS_PATH = 2;
  static final long ADDRESS_SIZE = 110;
  static final int PATH_ROOM = 108;

  static final long MESSAGE_VECTOR = 16;
  static final long MESSAGE_VECTOR_LENGTH = 24;
  static final long MESSAGE_CONTROL = 32;
  static final long MESSAGE_CONTROL_LENGTH = 40;
  static final long MESSAGE_FLAGS = 48;
  static final long MESSAGE_SIZE = 56;

  static final long VECTOR_LENGTH = 8;
  static final long VECTOR_SIZE = 16;

  static final long CONTROL_LEVEL = 8;
  static final long CONTROL_TYPE = 12;
  static final long CONTROL_DATA = 16;

  static final long POLL_EVENTS = 4;
  static final long POLL_READY = 6;
  static final long POLL_SIZE = 8;

  static final int EPOLL_CLOSE_ON_EXEC = 0x80000;
  static final int EPOLL_ADD = 1;
  static final int EPOLL_REMOVE = 2;

  /** Members that one wait tells of. */
  static final int EPOLL_MOST = 16;

  static final long EPOLL_DATA = isPacked() ? 4 : 8;
  static final long EPOLL_SIZE = EPOLL_DATA + 8;

  static final long TIME_NANOS = 8;
  static final long TIME_SIZE = 16;

  private SocketLayout() {}

  private static boolean isPacked() {
    String processor = System.getProperty("os.arch");
    return processor.equals("amd64") || processor.equals("x86_64");
  }

  /** Return the bytes of a control message with {@code count} descriptors, padding included. */
  static long controlSpace(int count) {
    return CONTROL_DATA + ((4L * count + 7) & ~7L);
  }
}
