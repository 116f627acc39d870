package io.twostep.machine.linux.fake;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.IoctlRequest;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PassedDescriptors;
import io.twostep.machine.linux.kernel.PollEvents;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The real kernel's files, memory, events and sockets, watched: it knows what is open and mapped, and has a call go wrong. */
public final class WatchedKernel implements Kernel {
  private static final int HEADER = 16;
  private static final long FLAGS = 8;
  private static final long ERRNO = 12;
  private static final byte ERROR = 0x20;

  /** What goes wrong at the call that is picked. */
  public enum Wrong {
    /** Any call fails, but for a look that finds nothing. */
    CALL_FAILS,
    /** A message is about to be sent or received, and the other end is gone. */
    OTHER_END_DIES,
    /** A message's header comes in, and has another id. */
    ID_IS_ANOTHER,
    /** A message's header comes in, and says that what was asked is refused. */
    ANSWER_IS_AN_ERROR,
    /** Bytes come in, and one bit of them is another, chosen by {@code -Dtwostep.seed}. */
    BIT_FLIPS
  }

  private final Kernel real = Kernel.host();
  private final NthCall nthCall = new NthCall();
  private final Wrong wrong;
  private final long seed = Long.getLong("twostep.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final Map<Integer, Descriptor> open = new TreeMap<>();
  private final Map<Long, Long> mapped = new TreeMap<>();

  /** Where an unmap failed and was not tried again. */
  private final Set<Long> refused = new TreeSet<>();

  private long latest;

  /** Create; what goes wrong is decided, and {@link #nthCall} says when. */
  public WatchedKernel(Wrong wrong) {
    this.wrong = wrong;
  }

  /** Return what picks the call that goes wrong. */
  public NthCall nthCall() {
    return nthCall;
  }

  /** Return the seed that chooses bits. */
  public long seed() {
    return seed;
  }

  /** Tell whether something of that name is open. */
  public synchronized boolean isOpen(String name) {
    return open.values().stream().anyMatch(descriptor -> descriptor.name().equals(name));
  }

  /** Return what is open or mapped; empty if everything was given back. */
  public synchronized String leaks() {
    StringBuilder text = new StringBuilder();
    open.values().forEach(each -> text.append(each).append("; "));
    mapped.forEach((at, length) -> text.append("mapping of ").append(length).append(" bytes; "));
    return text.toString();
  }

  /** Check that nothing is open or mapped but what an unmap failed for, unless that was tried again; which is unmapped then. */
  public synchronized void requireNothingLeft(String after) {
    assertThat(mapped.keySet()).as(after).isEqualTo(refused);
    assertThat(refused.size()).as(after).isLessThanOrEqualTo(after.contains(": munmap ") ? 1 : 0);
    forget();
    assertThat(leaks()).as(after).isEmpty();
  }

  /** Return where the latest mapping is, as calls that unmap it name it. */
  public synchronized String latestMapping() {
    return "0x" + Long.toHexString(latest);
  }

  /** Unmap what could not be unmapped on purpose. */
  @SuppressWarnings("restricted")
  public synchronized void forget() {
    mapped.forEach((at, length) -> real.munmap(MemorySegment.ofAddress(at).reinterpret(length)));
    mapped.clear();
    refused.clear();
  }

  private void step(String call, String subject) {
    if (wrong == Wrong.CALL_FAILS) {
      nthCall.failIfPicked(call, subject);
    }
  }

  private synchronized Descriptor opened(Descriptor descriptor) {
    open.put(descriptor.number(), descriptor);
    return descriptor;
  }

  @Override
  public long pageSize() {
    return real.pageSize();
  }

  @Override
  public Descriptor open(String path, int flags) {
    step("open", path);
    return opened(real.open(path, flags));
  }

  /** The descriptor is gone also when this fails, as on Linux. */
  @Override
  public void close(Descriptor descriptor) {
    synchronized (this) {
      if (open.remove(descriptor.number()) == null) {
        throw new AssertionError(descriptor + " is closed twice");
      }
    }
    real.close(descriptor);
    step("close", descriptor.name());
  }

  @Override
  public long read(Descriptor from, MemorySegment buffer) {
    step("read", from.name());
    return real.read(from, buffer);
  }

  @Override
  public long write(Descriptor to, MemorySegment buffer) {
    step("write", to.name());
    return real.write(to, buffer);
  }

  @Override
  public long pread(Descriptor from, MemorySegment buffer, long offset) {
    step("pread", from.name());
    return real.pread(from, buffer, offset);
  }

  @Override
  public long pwrite(Descriptor to, MemorySegment buffer, long offset) {
    step("pwrite", to.name());
    return real.pwrite(to, buffer, offset);
  }

  @Override
  public long size(Descriptor file) {
    step("lseek", file.name());
    return real.size(file);
  }

  @Override
  public void truncate(Descriptor file, long length) {
    step("ftruncate", file.name());
    real.truncate(file, length);
  }

  @Override
  public void sealSize(Descriptor file) {
    step("fcntl", file.name());
    real.sealSize(file);
  }

  @Override
  public int ioctl(Descriptor on, IoctlRequest request, MemorySegment structure) {
    step(request.name(), on.name());
    return real.ioctl(on, request, structure);
  }

  @Override
  public int ioctl(Descriptor on, IoctlRequest request, long value) {
    step(request.name(), on.name());
    return real.ioctl(on, request, value);
  }

  @Override
  public MemorySegment mmap(long length, int protection, int flags, Descriptor file, long offset) {
    step("mmap", file.name());
    MemorySegment segment = real.mmap(length, protection, flags, file, offset);
    synchronized (this) {
      mapped.put(segment.address(), length);
      latest = segment.address();
    }
    return segment;
  }

  /** What fails to be unmapped stays mapped. */
  @Override
  public void munmap(MemorySegment segment) {
    synchronized (this) {
      refused.add(segment.address());
      step("munmap", "0x" + Long.toHexString(segment.address()));
      refused.remove(segment.address());
      if (mapped.remove(segment.address()) == null) {
        throw new AssertionError("0x" + Long.toHexString(segment.address()) + " is unmapped twice");
      }
    }
    real.munmap(segment);
  }

  @Override
  public Descriptor eventfd(String name) {
    step("eventfd", name);
    return opened(real.eventfd(name));
  }

  @Override
  public Descriptor memfd(String name, int flags) {
    step("memfd_create", name);
    return opened(real.memfd(name, flags));
  }

  /** Counted only if something is ready: how often somebody looks who finds nothing is up to the scheduler. */
  @Override
  public int poll(List<Descriptor> descriptors, short[] events, short[] ready, long timeoutNanos) {
    int found = real.poll(descriptors, events, ready, timeoutNanos);
    if (found != 0) {
      step("ppoll", descriptors.size() + " descriptors");
    }
    return found;
  }

  /** Counted only if something is ready, as above. */
  @Override
  public short poll(Descriptor descriptor, short events, long timeoutNanos) {
    short found = real.poll(descriptor, events, timeoutNanos);
    if (found != 0) {
      step("ppoll", descriptor.name());
    }
    return found;
  }

  @Override
  public Descriptor epoll(String name) {
    step("epoll_create1", name);
    return opened(real.epoll(name));
  }

  @Override
  public void epollAdd(Descriptor set, Descriptor member, int events, long token) {
    step("epoll_ctl", member.name());
    real.epollAdd(set, member, events, token);
  }

  @Override
  public void epollRemove(Descriptor set, Descriptor member) {
    real.epollRemove(set, member);
    step("epoll_ctl", member.name());
  }

  /** Counted only if something is ready, as above, and before it is told: nobody tells it again. A call that waits goes through. */
  @Override
  public int epollWait(Descriptor set, long[] tokens, long timeoutNanos) {
    if (timeoutNanos == 0 && real.poll(set, PollEvents.READABLE, 0) != 0) {
      step("epoll_wait", set.name());
    }
    return real.epollWait(set, tokens, timeoutNanos);
  }

  @Override
  public Descriptor socket(String name) {
    step("socket", name);
    return opened(real.socket(name));
  }

  @Override
  public void bind(Descriptor socket, String path) {
    step("bind", path);
    real.bind(socket, path);
  }

  @Override
  public void listen(Descriptor socket, int backlog) {
    step("listen", socket.name());
    real.listen(socket, backlog);
  }

  @Override
  public Descriptor accept(Descriptor listener, String name) {
    step("accept", listener.name());
    return opened(real.accept(listener, name));
  }

  @Override
  public void connect(Descriptor socket, String path) {
    step("connect", path);
    real.connect(socket, path);
  }

  @Override
  public void shutdown(Descriptor socket) {
    real.shutdown(socket);
  }

  @Override
  public long sendMessage(Descriptor socket, MemorySegment data, long offset, long length, List<Descriptor> passed) {
    step("sendmsg", socket.name());
    dieIfPicked("sendmsg", socket);
    return real.sendMessage(socket, data, offset, length, passed);
  }

  @Override
  public long receiveMessage(Descriptor socket, MemorySegment data, long offset, long length, PassedDescriptors passed) {
    step("recvmsg", socket.name());
    dieIfPicked("recvmsg", socket);
    long got = real.receiveMessage(socket, data, offset, length, passed);
    passed.taken().forEach(this::opened);
    if (wrong == Wrong.BIT_FLIPS && got > 0 && nthCall.isPicked("recvmsg", socket.name())) {
      long at = offset + random.nextLong(got);
      data.set(ValueLayout.JAVA_BYTE, at, (byte) (data.get(ValueLayout.JAVA_BYTE, at) ^ 1 << random.nextInt(8)));
    }
    if (offset == 0 && got == HEADER) {
      lie(socket, data);
    }
    return got;
  }

  private void dieIfPicked(String call, Descriptor socket) {
    if (wrong == Wrong.OTHER_END_DIES && nthCall.isPicked(call, socket.name())) {
      real.shutdown(socket);
    }
  }

  private void lie(Descriptor socket, MemorySegment header) {
    String what = "recvmsg of command " + header.get(ValueLayout.JAVA_SHORT, 2);
    if (wrong == Wrong.ID_IS_ANOTHER && nthCall.isPicked(what, socket.name())) {
      header.set(ValueLayout.JAVA_BYTE, 0, (byte) ~header.get(ValueLayout.JAVA_BYTE, 0));
    } else if (wrong == Wrong.ANSWER_IS_AN_ERROR && nthCall.isPicked(what, socket.name())) {
      header.set(ValueLayout.JAVA_BYTE, FLAGS, (byte) (header.get(ValueLayout.JAVA_BYTE, FLAGS) | ERROR));
      header.set(ValueLayout.JAVA_INT, ERRNO, Errno.EIO);
    }
  }
}
