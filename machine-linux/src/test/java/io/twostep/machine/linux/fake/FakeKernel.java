package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.IoctlRequest;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.kernel.PassedDescriptors;
import io.twostep.machine.linux.run.EventLoop;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A kernel with VFIO and devices in it, and the real kernel's memory and events; counts what is open, fails the n-th call, and keeps a diary of what mattered.
 *
 * <p>Written from the user API's rules, not from the code under test.
 */
@SuppressWarnings("restricted")
public final class FakeKernel implements Kernel {
  private static final int FIRST_NUMBER = 1_000_000;

  private final Kernel real = Kernel.host();
  private final FakeVfio vfio = new FakeVfio(this);
  private final Map<Integer, Object> open = new TreeMap<>();
  private final Map<Integer, Descriptor> events = new TreeMap<>();
  private final Map<Long, Long> mapped = new TreeMap<>();
  private final List<String> diary = new ArrayList<>();
  private int next = FIRST_NUMBER;
  private final NthCall nthCall = new NthCall();
  private final FakeHugePages hugePages = new FakeHugePages();
  private final Map<Integer, Integer> hugeFiles = new TreeMap<>();

  /** Return VFIO's side. */
  public FakeVfio vfio() {
    return vfio;
  }

  /** Set huge pages of {@code 1 << shift} bytes aside, none for a size that is known and used up; they are ordinary memory here. */
  public void setAside(int shift, long pages) {
    hugePages.setAside(shift, pages);
  }

  /** Return what picks the call that fails. */
  public NthCall nthCall() {
    return nthCall;
  }

  /** Return what happened, in order: driver-visible changes only. */
  public synchronized List<String> diary() {
    return List.copyOf(diary);
  }

  synchronized void note(String what) {
    diary.add(what);
  }

  /** Return what is open or mapped or pinned; empty if everything was given back. */
  public synchronized String leaks() {
    StringBuilder text = new StringBuilder();
    open.values().forEach(object -> text.append(object).append("; "));
    events.values().forEach(event -> text.append(event.name()).append("; "));
    mapped.forEach((at, length) -> text.append("mapping of ").append(length).append(" bytes; "));
    if (vfio.pinned() != 0) {
      text.append(vfio.pinned()).append(" pinned bytes; ");
    }
    return text.toString();
  }

  /** Unmap what a machine left mapped on purpose. */
  public synchronized void forget() {
    mapped.forEach((at, length) -> unmap(MemorySegment.ofAddress(at).reinterpret(length)));
    mapped.clear();
  }

  private void step(String call, String subject) {
    nthCall.failIfPicked(call, subject);
  }

  synchronized Object object(Descriptor descriptor) {
    return object(descriptor.number());
  }

  synchronized Object object(int number) {
    Object object = open.get(number);
    if (object == null) {
      throw new AssertionError("descriptor " + number + " was closed: its number may be another file's by now");
    }
    return object;
  }

  synchronized int add(Object object) {
    open.put(next, object);
    return next++;
  }

  /** Signal an event as an interrupt does. */
  void signal(int number) {
    Descriptor event;
    synchronized (this) {
      event = events.get(number);
    }
    if (event != null) {
      EventLoop.signal(real, event);
    }
  }

  @Override
  public long pageSize() {
    return real.pageSize();
  }

  @Override
  public Descriptor open(String path, int flags) {
    step("open", path);
    return new Descriptor(add(vfio.open(path)), path);
  }

  /** The descriptor is gone also when this fails, as on Linux. */
  @Override
  public void close(Descriptor descriptor) {
    Object object;
    synchronized (this) {
      if (events.remove(descriptor.number()) == null) {
        object = object(descriptor);
        open.remove(descriptor.number());
      } else {
        object = null;
      }
    }
    if (object == null) {
      real.close(descriptor);
    } else {
      vfio.closed(object);
    }
    step("close", descriptor.name());
  }

  @Override
  public long read(Descriptor from, MemorySegment buffer) {
    return real.read(from, buffer);
  }

  @Override
  public long write(Descriptor to, MemorySegment buffer) {
    return real.write(to, buffer);
  }

  @Override
  public long pread(Descriptor from, MemorySegment buffer, long offset) {
    step("pread", from.name());
    return ((FakeDevice) object(from)).read(buffer, offset);
  }

  @Override
  public long pwrite(Descriptor to, MemorySegment buffer, long offset) {
    step("pwrite", to.name());
    return ((FakeDevice) object(to)).write(buffer, offset);
  }

  @Override
  public long size(Descriptor file) {
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
    return vfio.request(object(on), request, structure, structure.address());
  }

  @Override
  public int ioctl(Descriptor on, IoctlRequest request, long value) {
    step(request.name(), on.name());
    return vfio.request(object(on), request, MemorySegment.NULL, value);
  }

  @Override
  public MemorySegment mmap(long length, int protection, int flags, Descriptor file, long offset) {
    step("mmap", file.name());
    int huge = (flags & MapOptions.HUGE) != 0 ? flags : hugeFile(file);
    if (huge != 0) {
      note("mmap of 0x%x bytes, protection %d, flags 0x%x".formatted(length, protection, flags));
      hugePages.take(length, huge);
    }
    int ordinary = flags & (MapOptions.HUGE - 1);
    MemorySegment segment =
        open.get(file.number()) instanceof FakeDevice device ? device.map(length, offset) : real.mmap(length, protection, ordinary, file, offset);
    synchronized (this) {
      mapped.put(segment.address(), length);
    }
    if (huge != 0) {
      hugePages.own(segment.address(), length, huge);
    }
    return segment;
  }

  private synchronized int hugeFile(Descriptor file) {
    return hugeFiles.getOrDefault(file.number(), 0);
  }

  /** What fails to be unmapped stays mapped. */
  @Override
  public void munmap(MemorySegment segment) {
    step("munmap", "0x" + Long.toHexString(segment.address()));
    synchronized (this) {
      if (!Long.valueOf(segment.byteSize()).equals(mapped.remove(segment.address()))) {
        throw new SystemCallException("munmap", "0x" + Long.toHexString(segment.address()), Errno.EINVAL);
      }
    }
    hugePages.giveBack(segment.address());
    unmap(segment);
  }

  /** A device's memory is the device's, mapped or not. */
  private void unmap(MemorySegment segment) {
    if (!vfio.ownsMemory(segment.address())) {
      note("memory unmapped");
      real.munmap(segment);
    }
  }

  @Override
  public Descriptor eventfd(String name) {
    step("eventfd", name);
    Descriptor event = real.eventfd(name);
    synchronized (this) {
      events.put(event.number(), event);
    }
    return event;
  }

  @Override
  public Descriptor memfd(String name, int flags) {
    step("memfd_create", name);
    boolean huge = (flags & MapOptions.MEMFD_HUGE) != 0;
    if (huge) {
      note("memfd with flags 0x%x".formatted(flags));
      hugePages.requireSize("memfd_create", name, flags, Errno.ENODEV);
    }
    Descriptor file = real.memfd(name, flags & MapOptions.MEMFD_SEALABLE);
    synchronized (this) {
      events.put(file.number(), file);
      hugeFiles.put(file.number(), huge ? flags : 0);
    }
    return file;
  }

  @Override
  public int poll(List<Descriptor> descriptors, short[] wanted, short[] ready, long timeoutNanos) {
    return real.poll(descriptors, wanted, ready, timeoutNanos);
  }

  @Override
  public short poll(Descriptor descriptor, short events, long timeoutNanos) {
    return real.poll(descriptor, events, timeoutNanos);
  }

  @Override
  public Descriptor epoll(String name) {
    step("epoll_create1", name);
    Descriptor set = real.epoll(name);
    synchronized (this) {
      events.put(set.number(), set);
    }
    return set;
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

  @Override
  public int epollWait(Descriptor set, long[] tokens, long timeoutNanos) {
    return real.epollWait(set, tokens, timeoutNanos);
  }

  @Override
  public Descriptor socket(String name) {
    throw noSockets("socket");
  }

  @Override
  public void bind(Descriptor socket, String path) {
    throw noSockets("bind");
  }

  @Override
  public void listen(Descriptor socket, int backlog) {
    throw noSockets("listen");
  }

  @Override
  public Descriptor accept(Descriptor listener, String name) {
    throw noSockets("accept");
  }

  @Override
  public void connect(Descriptor socket, String path) {
    throw noSockets("connect");
  }

  @Override
  public void shutdown(Descriptor socket) {
    throw noSockets("shutdown");
  }

  @Override
  public long sendMessage(Descriptor socket, MemorySegment data, long offset, long length, List<Descriptor> passed) {
    throw noSockets("sendMessage");
  }

  @Override
  public long receiveMessage(Descriptor socket, MemorySegment data, long offset, long length, PassedDescriptors passed) {
    throw noSockets("receiveMessage");
  }

  private static UnsupportedOperationException noSockets(String call) {
    return new UnsupportedOperationException(call + "(): this kernel has devices and memory; sockets are tested on the real one");
  }
}
