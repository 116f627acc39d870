package io.twostep.machine.linux;

/** Linux error numbers that the module meets: their names, what they mean, and what usually helps. */
public final class Errno {
  /** Operation not permitted. */
  public static final int EPERM = 1;

  /** No such file. */
  public static final int ENOENT = 2;

  /** Interrupted by a signal. */
  public static final int EINTR = 4;

  /** Input or output error. */
  public static final int EIO = 5;

  /** No such device. */
  public static final int ENXIO = 6;

  /** Bad descriptor. */
  public static final int EBADF = 9;

  /** Would block. */
  public static final int EAGAIN = 11;

  /** No memory, or the limit of locked memory. */
  public static final int ENOMEM = 12;

  /** No permission. */
  public static final int EACCES = 13;

  /** Bad address. */
  public static final int EFAULT = 14;

  /** Busy. */
  public static final int EBUSY = 16;

  /** Exists already. */
  public static final int EEXIST = 17;

  /** No such device. */
  public static final int ENODEV = 19;

  /** Invalid argument. */
  public static final int EINVAL = 22;

  /** Too many open files in all processes. */
  public static final int ENFILE = 23;

  /** Too many open files. */
  public static final int EMFILE = 24;

  /** Not for this kind of descriptor. */
  public static final int ENOTTY = 25;

  /** No space. */
  public static final int ENOSPC = 28;

  /** Nobody reads at the other end. */
  public static final int EPIPE = 32;

  /** Value too large. */
  public static final int EOVERFLOW = 75;

  /** Address in use. */
  public static final int EADDRINUSE = 98;

  /** Nothing is in the drive. */
  public static final int ENOMEDIUM = 123;

  /** The peer reset the connection. */
  public static final int ECONNRESET = 104;

  /** Time is up. */
  public static final int ETIMEDOUT = 110;

  /** Nobody listens. */
  public static final int ECONNREFUSED = 111;

  private Errno() {}

  /** Return name and meaning, such as {@code EBUSY (in use)}. */
  public static String text(int errno) {
    return switch (errno) {
      case EPERM -> "EPERM (not permitted)";
      case ENOENT -> "ENOENT (no such file)";
      case EINTR -> "EINTR (interrupted by a signal)";
      case EIO -> "EIO (input or output error)";
      case ENXIO -> "ENXIO (no such device or address)";
      case EBADF -> "EBADF (not an open descriptor)";
      case EAGAIN -> "EAGAIN (would block)";
      case ENOMEM -> "ENOMEM (no memory, or over the limit of locked memory)";
      case EACCES -> "EACCES (no permission)";
      case EFAULT -> "EFAULT (bad address)";
      case EBUSY -> "EBUSY (in use)";
      case EEXIST -> "EEXIST (exists already)";
      case ENODEV -> "ENODEV (no such device)";
      case EINVAL -> "EINVAL (invalid argument)";
      case ENFILE -> "ENFILE (too many open files in all processes)";
      case EMFILE -> "EMFILE (too many open files)";
      case ENOTTY -> "ENOTTY (not supported by this file)";
      case ENOSPC -> "ENOSPC (no space left)";
      case EPIPE -> "EPIPE (nobody at the other end)";
      case EOVERFLOW -> "EOVERFLOW (value too large)";
      case EADDRINUSE -> "EADDRINUSE (address in use)";
      case ENOMEDIUM -> "ENOMEDIUM (nothing in the drive)";
      case ECONNRESET -> "ECONNRESET (connection reset by the other end)";
      case ETIMEDOUT -> "ETIMEDOUT (timed out)";
      case ECONNREFUSED -> "ECONNREFUSED (nobody listens)";
      default -> "errno " + errno;
    };
  }

  static String remedy(int errno) {
    return switch (errno) {
      case EPERM, EACCES -> "run as a user who may, or change the owner of the file";
      case ENOENT -> "check the path, and that the kernel module that makes it is loaded";
      case EBUSY -> "end the process, or unbind the driver, that uses it";
      case EMFILE -> "raise the limit of open files (ulimit -n)";
      case ENOMEM -> "raise the limit of locked memory (ulimit -l), or ask for less";
      case ECONNREFUSED -> "start the server, then try again";
      case EADDRINUSE -> "end the server that listens there, or choose another path";
      default -> "";
    };
  }
}
