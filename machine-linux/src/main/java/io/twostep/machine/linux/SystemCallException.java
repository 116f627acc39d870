package io.twostep.machine.linux;

import java.io.Serial;

/** A system call that failed: names the call, what it was about, the error, and what to do about it. */
public final class SystemCallException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  private final String call;
  private final String subject;
  private final int errno;

  /** Create from a failed call; the remedy is the usual one for the error. */
  public SystemCallException(String call, String subject, int errno) {
    this(call, subject, errno, Errno.remedy(errno));
  }

  /**
   * Create from a failed call.
   *
   * @param call the call, such as {@code open} or {@code VFIO_IOMMU_MAP_DMA}
   * @param subject the path or object it was about
   * @param errno the error number, positive
   * @param remedy what to do, one sentence without a full stop; empty if nothing is known
   */
  public SystemCallException(String call, String subject, int errno, String remedy) {
    super(subject + ": " + call + " failed: " + Errno.text(errno) + (remedy.isEmpty() ? "" : "; " + remedy));
    this.call = call;
    this.subject = subject;
    this.errno = errno;
  }

  /** Return the same failure under another subject and remedy, for a caller who knows more; this one is its cause. */
  public SystemCallException explained(String subject, String remedy) {
    SystemCallException better = new SystemCallException(call, subject, errno, remedy);
    better.initCause(this);
    return better;
  }

  /** Tell whether the call failed for want of memory or descriptors, whatever it was about. */
  public boolean isShortage() {
    return errno == Errno.ENOMEM || errno == Errno.EMFILE || errno == Errno.ENFILE;
  }

  /** Return the call's name. */
  public String call() {
    return call;
  }

  /** Return what the call was about. */
  public String subject() {
    return subject;
  }

  /** Return the error number, positive. */
  public int errno() {
    return errno;
  }
}
