package io.twostep.machine.linux.kernel;

import io.twostep.machine.linux.SystemCallException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The system calls that this module makes, each once and as it is: thread-safe, blocking where the kernel blocks.
 *
 * <p>Every failure is a {@link SystemCallException} that names the call, the descriptor's name or the path, and the error; nothing was changed then. A call that a signal
 * interrupts is repeated. All descriptors are made close-on-exec. Buffers are native segments.
 */
public interface Kernel {
  /** Return the page size, bytes. */
  long pageSize();

  /**
   * Open a file.
   *
   * @param flags bits of {@link OpenFlags}
   */
  Descriptor open(String path, int flags);

  /** Close a descriptor; the number may be reused from then on, also if this throws. */
  void close(Descriptor descriptor);

  /** Read into {@code buffer} and return the bytes read; 0 at the end, -1 if it would block. */
  long read(Descriptor from, MemorySegment buffer);

  /** Write {@code buffer} and return the bytes written; -1 if it would block. */
  long write(Descriptor to, MemorySegment buffer);

  /** Read at a file offset and return the bytes read; 0 at the end. */
  long pread(Descriptor from, MemorySegment buffer, long offset);

  /** Write at a file offset and return the bytes written. */
  long pwrite(Descriptor to, MemorySegment buffer, long offset);

  /** Return the bytes of a file, or of a memory file. */
  long size(Descriptor file);

  /** Set the bytes of a file. */
  void truncate(Descriptor file, long length);

  /** Let nobody change the bytes of a memory file that was made sealable, whoever has it. */
  void sealSize(Descriptor file);

  /** Do a device's own request with a structure that the kernel reads and may write; returns the call's result, not negative. */
  int ioctl(Descriptor on, IoctlRequest request, MemorySegment structure);

  /** Do a device's own request with a plain value; returns the call's result, not negative. */
  int ioctl(Descriptor on, IoctlRequest request, long value);

  /**
   * Map memory and return its segment, which has no owner: it dies with {@link #munmap}, and who keeps it knows that.
   *
   * @param length bytes, whole pages
   * @param protection bits of {@link MapOptions}
   * @param flags bits of {@link MapOptions}
   * @param file what to map; {@link Descriptor#NONE} for anonymous memory
   * @param offset first byte of the file, on a page
   */
  MemorySegment mmap(long length, int protection, int flags, Descriptor file, long offset);

  /** Unmap what {@link #mmap} returned, whole. */
  void munmap(MemorySegment mapped);

  /** Make a counter that can be waited for, at 0, which does not block. */
  Descriptor eventfd(String name);

  /** Make a file that lives in memory, of 0 bytes. */
  Descriptor memfd(String name, int flags);

  /**
   * Wait until one of some descriptors is ready.
   *
   * @param descriptors whom to wait for
   * @param events for each, the bits of {@link PollEvents} to wait for
   * @param ready filled with the bits that are set, errors included
   * @param timeoutNanos how long; 0 looks and returns, negative waits for ever
   * @return how many are ready; 0 when time is up or a signal came
   */
  int poll(List<Descriptor> descriptors, short[] events, short[] ready, long timeoutNanos);

  /** Wait until one descriptor is ready for {@code events}, and return what it is ready for, errors included; 0 when time is up or a signal came. */
  short poll(Descriptor descriptor, short events, long timeoutNanos);

  /** Make a set of descriptors to be waited for together, empty. */
  Descriptor epoll(String name);

  /**
   * Wait for a descriptor with a set from now on; one that is ready counts as having just become so.
   *
   * @param events bits of {@link EpollEvents}
   * @param token what {@link #epollWait} tells of it
   */
  void epollAdd(Descriptor set, Descriptor member, int events, long token);

  /** Wait for a descriptor no more; to be called before it is closed, if anybody else has it. */
  void epollRemove(Descriptor set, Descriptor member);

  /**
   * Wait until members of a set are ready.
   *
   * @param tokens filled with those of members that are; others are told by the next call
   * @param timeoutNanos how long, rounded up to whole milliseconds; 0 looks and returns, negative waits for ever
   * @return how many were told; 0 when time is up or a signal came
   */
  int epollWait(Descriptor set, long[] tokens, long timeoutNanos);

  /** Make a stream socket of the UNIX family that never blocks, so that nobody at the other end can hold a thread: {@link #poll} waits. */
  Descriptor socket(String name);

  /** Give a socket its path. */
  void bind(Descriptor socket, String path);

  /** Let others connect. */
  void listen(Descriptor socket, int backlog);

  /** Take a connection, whose socket never blocks either; EAGAIN if there is none. */
  Descriptor accept(Descriptor listener, String name);

  /** Connect to the socket at a path; EAGAIN while too many others wait to be accepted. */
  void connect(Descriptor socket, String path);

  /** End both directions of a connection, so that whoever waits on it, here and at the other end, wakes. */
  void shutdown(Descriptor socket);

  /**
   * Send bytes, as many as there is room for, and descriptors along with the first of them, and return the bytes sent; -1 if it would block.
   *
   * <p>No signal is raised if nobody is at the other end: that is EPIPE.
   *
   * @param data native memory
   * @param passed descriptors, which stay the caller's
   */
  long sendMessage(Descriptor socket, MemorySegment data, long offset, long length, List<Descriptor> passed);

  /**
   * Receive bytes, and descriptors along with them, and return the bytes; 0 if the other end has closed, -1 if it would block.
   *
   * @param data native memory
   * @param passed takes the descriptors; what it had before is forgotten
   */
  long receiveMessage(Descriptor socket, MemorySegment data, long offset, long length, PassedDescriptors passed);

  /** Return this process's kernel. */
  static Kernel host() {
    return NativeKernel.INSTANCE;
  }
}
