package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.vfio.VfioRegion.Area;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** A PCI function that the kernel has handed over: its regions, interrupts and reset. Closing it stops its bus mastering, in the kernel. Thread-safe. */
public final class VfioDevice implements AutoCloseable {
  private final Kernel kernel;
  private final Descriptor descriptor;
  private final boolean canReset;
  private final int regions;
  private final int interrupts;

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
      kernel.close(descriptor);
      throw e;
    }
  }

  /** Tell whether {@link #reset} works. */
  public boolean canReset() {
    return canReset;
  }

  /** Reset the function; its configuration space is restored as it was. */
  public void reset() {
    kernel.ioctl(descriptor, VfioRequests.DEVICE_RESET, 0);
  }

  /** Return the configuration space. */
  public VfioRegion config() {
    return region(RegionInfoLayout.CONFIG);
  }

  /** Return a region by its index; BARs are 0 to 5. */
  public VfioRegion region(int index) {
    Objects.checkIndex(index, regions);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = InfoReader.read(kernel, descriptor, VfioRequests.DEVICE_GET_REGION_INFO, arena, RegionInfoLayout.SIZE, index);
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
    return kernel.mmap(area.length(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, descriptor, region.offset() + area.offset());
  }

  /** Unmap what {@link #map} returned. */
  public void unmap(MemorySegment mapped) {
    kernel.munmap(mapped);
  }

  /** Read a part of a region in one access of the buffer's width; returns false if the device does not answer with as many bytes. */
  public boolean read(VfioRegion region, long offset, MemorySegment buffer) {
    return kernel.pread(descriptor, buffer, region.offset() + offset) == buffer.byteSize();
  }

  /** Write a part of a region in one access of the buffer's width; returns false if the device does not take as many bytes. */
  public boolean write(VfioRegion region, long offset, MemorySegment buffer) {
    return kernel.pwrite(descriptor, buffer, region.offset() + offset) == buffer.byteSize();
  }

  /** Return how many vectors an interrupt index has that can signal eventfds; 0 for none. */
  int vectors(int index) {
    if (index >= interrupts) {
      return 0;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = InfoReader.read(kernel, descriptor, VfioRequests.DEVICE_GET_IRQ_INFO, arena, InterruptLayout.INFO_SIZE, index);
      return (info.get(JAVA_INT, InterruptLayout.FLAGS) & InterruptLayout.EVENTFD) == 0 ? 0 : info.get(JAVA_INT, InterruptLayout.INFO_COUNT);
    }
  }

  /** Signal eventfds from now on, {@link Descriptor#NONE} for vectors that signal nobody. */
  void signal(int index, int first, List<Descriptor> events) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment set = set(arena, InterruptLayout.DATA_EVENTFD | InterruptLayout.ACTION_TRIGGER, index, first, events.size(), 4L * events.size());
      for (int i = 0; i < events.size(); i++) {
        set.set(JAVA_INT, InterruptLayout.SET_DATA + 4L * i, events.get(i).number());
      }
      kernel.ioctl(descriptor, VfioRequests.DEVICE_SET_IRQS, set);
    }
  }

  /** Signal nobody any more on any vector of an index. */
  void silence(int index) {
    try (Arena arena = Arena.ofConfined()) {
      kernel.ioctl(
          descriptor, VfioRequests.DEVICE_SET_IRQS, set(arena, InterruptLayout.DATA_NONE | InterruptLayout.ACTION_TRIGGER, index, 0, 0, 0));
    }
  }

  /** Let the line interrupt again, which masks itself whenever it fires. */
  void unmaskLine() {
    try (Arena arena = Arena.ofConfined()) {
      kernel.ioctl(
          descriptor,
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
    kernel.close(descriptor);
  }

  @Override
  public String toString() {
    return descriptor.name();
  }
}
