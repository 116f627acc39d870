package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.IoctlRequest;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.vfio.VfioRegion.Area;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * A PCI function that the kernel has handed over: its regions, interrupts and reset. Closing it stops its bus mastering, in the kernel. Thread-safe.
 *
 * <p>Once it is closed whatever is asked of it fails with EBADF, here: the kernel may have given its number to another file.
 */
public final class VfioDevice implements AutoCloseable {
  private final Kernel kernel;
  private final Descriptor descriptor;
  private final boolean canReset;
  private final int regions;
  private final int interrupts;

  /** Held shared while the descriptor is used, and alone when it is closed. */
  private final ReentrantReadWriteLock use = new ReentrantReadWriteLock();

  private boolean closed;

  private VfioDevice(Kernel kernel, Descriptor descriptor, int flags, int regions, int interrupts) {
    this.kernel = kernel;
    this.descriptor = descriptor;
    this.canReset = (flags & DeviceInfoLayout.CAN_RESET) != 0;
    this.regions = regions;
    this.interrupts = interrupts;
  }

  /** Take over a device's descriptor; closes it if the device is none that this knows. */
  static VfioDevice of(Kernel kernel, Descriptor descriptor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = InfoReader.read(kernel, descriptor, VfioRequests.DEVICE_GET_INFO, arena, DeviceInfoLayout.SIZE, -1);
      int flags = info.get(JAVA_INT, DeviceInfoLayout.FLAGS);
      int regions = info.get(JAVA_INT, DeviceInfoLayout.REGIONS);
      if ((flags & DeviceInfoLayout.PCI) == 0 || regions <= RegionInfoLayout.CONFIG) {
        throw new IllegalStateException(descriptor.name() + ": not a PCI function; only those are served");
      }
      return new VfioDevice(kernel, descriptor, flags, regions, info.get(JAVA_INT, DeviceInfoLayout.INTERRUPTS));
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(descriptor));
    }
  }

  private <T> T use(String call, Supplier<T> used) {
    use.readLock().lock();
    try {
      if (closed) {
        throw new SystemCallException(call, descriptor.name(), Errno.EBADF, "it was closed with its machine; open it again");
      }
      return used.get();
    } finally {
      use.readLock().unlock();
    }
  }

  private int request(IoctlRequest request, MemorySegment structure) {
    return use(request.name(), () -> kernel.ioctl(descriptor, request, structure));
  }

  private MemorySegment info(IoctlRequest request, Arena arena, long size, int index) {
    return use(request.name(), () -> InfoReader.read(kernel, descriptor, request, arena, size, index));
  }

  /** Tell whether {@link #reset} works. */
  public boolean canReset() {
    return canReset;
  }

  /** Reset the function; its configuration space is restored as it was. */
  public void reset() {
    use(VfioRequests.DEVICE_RESET.name(), () -> kernel.ioctl(descriptor, VfioRequests.DEVICE_RESET, 0));
  }

  /** Return the configuration space. */
  public VfioRegion config() {
    return region(RegionInfoLayout.CONFIG);
  }

  /** Return a region by its index; BARs are 0 to 5. */
  public VfioRegion region(int index) {
    Objects.checkIndex(index, regions);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = info(VfioRequests.DEVICE_GET_REGION_INFO, arena, RegionInfoLayout.SIZE, index);
      long length = info.get(JAVA_LONG, RegionInfoLayout.LENGTH);
      return new VfioRegion(index, length, info.get(JAVA_LONG, RegionInfoLayout.OFFSET), mappable(info, length));
    }
  }

  private static List<Area> mappable(MemorySegment info, long length) {
    int flags = info.get(JAVA_INT, RegionInfoLayout.FLAGS);
    if ((flags & RegionInfoLayout.MAPPABLE) == 0 || length == 0) {
      return List.of();
    }
    int first = (flags & RegionInfoLayout.HAS_CAPABILITIES) == 0 ? 0 : info.get(JAVA_INT, RegionInfoLayout.FIRST_CAPABILITY);
    long sparse = InfoReader.capability(info, first, RegionInfoLayout.CAPABILITY_SPARSE);
    if (sparse == InfoReader.NONE) {
      return List.of(new Area(0, length));
    }
    List<Area> areas = new ArrayList<>();
    for (int i = 0; i < info.get(JAVA_INT_UNALIGNED, sparse + RegionInfoLayout.SPARSE_AREAS); i++) {
      long at = sparse + RegionInfoLayout.SPARSE_FIRST + i * RegionInfoLayout.SPARSE_AREA_SIZE;
      Area area = new Area(info.get(JAVA_LONG_UNALIGNED, at), info.get(JAVA_LONG_UNALIGNED, at + 8));
      if (area.length() != 0) {
        areas.add(area);
      }
    }
    return areas;
  }

  /** Map a part of a region; {@link #unmap} ends it. */
  public MemorySegment map(VfioRegion region, Area area) {
    return use("mmap", () -> kernel.mmap(area.length(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, descriptor, region.offset() + area.offset()));
  }

  /** Unmap what {@link #map} returned. */
  public void unmap(MemorySegment mapped) {
    try {
      kernel.munmap(mapped);
    } catch (SystemCallException e) {
      throw e.explained(
          "%s: BAR mapped at 0x%x+0x%x".formatted(descriptor.name(), mapped.address(), mapped.byteSize()), "it stays so, and the device with this process, until the process ends");
    }
  }

  /** Read a part of a region in one access of the buffer's width; returns false if the device does not answer with as many bytes. */
  public boolean read(VfioRegion region, long offset, MemorySegment buffer) {
    return use("pread", () -> kernel.pread(descriptor, buffer, region.offset() + offset)) == buffer.byteSize();
  }

  /** Write a part of a region in one access of the buffer's width; returns false if the device does not take as many bytes. */
  public boolean write(VfioRegion region, long offset, MemorySegment buffer) {
    return use("pwrite", () -> kernel.pwrite(descriptor, buffer, region.offset() + offset)) == buffer.byteSize();
  }

  /** Return how many vectors an interrupt index has that can signal eventfds; 0 for none. */
  int vectors(int index) {
    if (index >= interrupts) {
      return 0;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = info(VfioRequests.DEVICE_GET_IRQ_INFO, arena, InterruptLayout.INFO_SIZE, index);
      return (info.get(JAVA_INT, InterruptLayout.FLAGS) & InterruptLayout.EVENTFD) == 0 ? 0 : info.get(JAVA_INT, InterruptLayout.INFO_COUNT);
    }
  }

  /**
   * Signal eventfds from now on, {@link Descriptor#NONE} for vectors that signal nobody.
   *
   * @throws IllegalStateException if the kernel has not so many vectors to give: it says how many it has, and sets up none
   */
  void signal(int index, int first, List<Descriptor> events) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment set = set(arena, InterruptLayout.DATA_EVENTFD | InterruptLayout.ACTION_TRIGGER, index, first, events.size(), 4L * events.size());
      for (int i = 0; i < events.size(); i++) {
        set.set(JAVA_INT, InterruptLayout.SET_DATA + 4L * i, events.get(i).number());
      }
      int left = request(VfioRequests.DEVICE_SET_IRQS, set);
      if (left > 0) {
        throw new IllegalStateException(
            "%s: of %d interrupt vectors the kernel has %d to give; set 'vectors' to %d".formatted(descriptor.name(), events.size(), left, left));
      }
    }
  }

  /** Signal nobody any more on any vector of an index. */
  void silence(int index) {
    try (Arena arena = Arena.ofConfined()) {
      request(VfioRequests.DEVICE_SET_IRQS, set(arena, InterruptLayout.DATA_NONE | InterruptLayout.ACTION_TRIGGER, index, 0, 0, 0));
    }
  }

  /** Let the line interrupt again, which masks itself whenever it fires. */
  void unmaskLine() {
    try (Arena arena = Arena.ofConfined()) {
      request(
          VfioRequests.DEVICE_SET_IRQS,
          set(arena, InterruptLayout.DATA_NONE | InterruptLayout.ACTION_UNMASK, InterruptLayout.INDEX_INTX, 0, 1, 0));
    }
  }

  private static MemorySegment set(Arena arena, int flags, int index, int first, int count, long data) {
    MemorySegment set = arena.allocate(InterruptLayout.SET_DATA + data, 4);
    set.set(JAVA_INT, 0, (int) set.byteSize());
    set.set(JAVA_INT, InterruptLayout.FLAGS, flags);
    set.set(JAVA_INT, InterruptLayout.INDEX, index);
    set.set(JAVA_INT, InterruptLayout.SET_FIRST, first);
    set.set(JAVA_INT, InterruptLayout.SET_COUNT, count);
    return set;
  }

  @Override
  public void close() {
    use.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        kernel.close(descriptor);
      }
    } finally {
      use.writeLock().unlock();
    }
  }

  @Override
  public String toString() {
    return descriptor.name();
  }
}
