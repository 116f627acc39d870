package io.twostep.machine.linux.fake;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.IoctlRequest;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** VFIO's groups and containers in a {@link FakeKernel}; numbers and offsets are the user API's, written out. */
@SuppressWarnings("restricted")
public final class FakeVfio {
  private final FakeKernel kernel;
  private final Map<Integer, Group> groups = new HashMap<>();
  private long pinned;
  private long mostPinned = Long.MAX_VALUE;
  private int mostMappings = 65535;
  private long lastIova = (1L << 39) - 1;
  private long unmapShortBy;
  private boolean interruptRemapping = true;
  private int vectorsLeft = Integer.MAX_VALUE;

  FakeVfio(FakeKernel kernel) {
    this.kernel = kernel;
  }

  /** Put a device into a group. */
  public FakeDevice plug(int group, String address) {
    Group of = groups.computeIfAbsent(group, Group::new);
    FakeDevice device = new FakeDevice(kernel, of, address);
    of.devices.put(address, device);
    return device;
  }

  /** Leave a driver of the kernel on a device of the group. */
  public void notViable(int group) {
    groups.get(group).viable = false;
  }

  /** Have interrupts not remapped. */
  public void noInterruptRemapping() {
    interruptRemapping = false;
  }

  /** Set how many interrupt vectors there are to give. */
  public void vectorsLeft(int count) {
    vectorsLeft = count;
  }

  /** Set how many bytes may be pinned. */
  public void mostPinned(long bytes) {
    mostPinned = bytes;
  }

  /** Set how many mappings a container takes. */
  public void mostMappings(int count) {
    mostMappings = count;
  }

  /** Set the highest I/O address, inclusive. */
  public void lastIova(long last) {
    lastIova = last;
  }

  /** Have unmaps confirm fewer bytes than they were asked for. */
  public void unmapShortBy(long bytes) {
    unmapShortBy = bytes;
  }

  /** Return the bytes that are pinned. */
  public long pinned() {
    return pinned;
  }

  Object open(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    if (name.equals("vfio")) {
      return new Container();
    }
    Group group = groups.get(Integer.parseInt(name));
    if (group == null) {
      throw refused("open", path, Errno.ENOENT);
    }
    if (group.open) {
      throw refused("open", path, Errno.EBUSY);
    }
    group.open = true;
    return group;
  }

  void closed(Object object) {
    if (object instanceof Container container) {
      container.mappings.values().forEach(m -> pinned -= m.pins);
      container.mappings.clear();
    } else if (object instanceof Group group) {
      group.open = false;
      group.container = null;
    } else if (object instanceof FakeDevice device) {
      device.closed();
    }
  }

  /** Return how many mappings a group's container has. */
  public int mappings(int group) {
    Container container = groups.get(group).container;
    return container == null ? 0 : container.mappings.size();
  }

  boolean ownsMemory(long address) {
    return devices().anyMatch(d -> d.owns(address));
  }

  private boolean isBar(long phys, long length) {
    return devices().anyMatch(d -> d.holds(phys, length));
  }

  private Stream<FakeDevice> devices() {
    return groups.values().stream().flatMap(g -> g.devices.values().stream());
  }

  int request(Object on, IoctlRequest request, MemorySegment data, long value) {
    return switch (on) {
      case Container container -> container.request(request, data, value);
      case Group group -> group.request(request, data);
      case FakeDevice device -> device(device, request, data);
      default -> throw refused(request.name(), on.toString(), Errno.ENOTTY);
    };
  }

  /** A device's requests. */
  private int device(FakeDevice device, IoctlRequest request, MemorySegment data) {
    switch ((int) request.number()) {
      case 0x3b6b -> {
        requireSize(data, 20);
        data.set(JAVA_INT, 4, 2 | (device.resettable() ? 1 : 0));
        data.set(JAVA_INT, 8, 9);
        data.set(JAVA_INT, 12, 5);
      }
      case 0x3b6c -> region(device, data);
      case 0x3b6d -> {
        requireSize(data, 16);
        data.set(JAVA_INT, 4, 1);
        data.set(JAVA_INT, 12, device.vectors(data.get(JAVA_INT, 8)));
      }
      case 0x3b6e -> {
        if (data.get(JAVA_INT, 16) > vectorsLeft) {
          return vectorsLeft;
        }
        interrupts(device, data);
      }
      case 0x3b6f -> {
        if (!device.resettable()) {
          throw refused(request.name(), device.toString(), Errno.ENOTTY);
        }
        device.reset();
      }
      default -> throw refused(request.name(), device.toString(), Errno.ENOTTY);
    }
    return 0;
  }

  private static void region(FakeDevice device, MemorySegment data) {
    requireSize(data, 32);
    int index = data.get(JAVA_INT, 8);
    boolean bar = index == 0 || index == 2;
    data.set(JAVA_INT, 4, bar && device.mappable() ? 7 : 3);
    data.set(JAVA_LONG, 16, bar ? FakeDevice.BAR_LENGTH : index == 7 ? 256 : 0);
    data.set(JAVA_LONG, 24, (long) index << 40);
  }

  private static void interrupts(FakeDevice device, MemorySegment data) {
    int flags = data.get(JAVA_INT, 4);
    int count = data.get(JAVA_INT, 16);
    int vectors = device.vectors(data.get(JAVA_INT, 8));
    if (vectors == 0 || data.get(JAVA_INT, 12) + count > vectors) {
      throw refused("SET_IRQS", device.toString(), Errno.EINVAL);
    }
    if (flags == 0x24) {
      int[] numbers = new int[count];
      for (int i = 0; i < count; i++) {
        numbers[i] = data.get(JAVA_INT, 20 + 4L * i);
      }
      device.wire(data.get(JAVA_INT, 12), numbers);
    } else if (flags == 0x21 && count == 0) {
      device.silence();
    } else if (flags == 0x11 && data.get(JAVA_INT, 8) == 0 && count == 1) {
      device.unmaskLine();
    } else {
      throw refused("SET_IRQS", device.toString(), Errno.EINVAL);
    }
  }

  static SystemCallException refused(String call, String subject, int errno) {
    return new SystemCallException(call, subject, errno);
  }

  private static void requireSize(MemorySegment data, int least) {
    if (data.get(JAVA_INT, 0) < least || data.get(JAVA_INT, 0) > data.byteSize()) {
      throw refused("ioctl", "structure", Errno.EINVAL);
    }
  }

  /** A group. */
  final class Group {
    private final int number;
    private final Map<String, FakeDevice> devices = new TreeMap<>();
    private boolean viable = true;
    private boolean open;
    private Container container;

    Group(int number) {
      this.number = number;
    }

    Container container() {
      return container;
    }

    private int request(IoctlRequest request, MemorySegment data) {
      switch ((int) request.number()) {
        case 0x3b67 -> {
          requireSize(data, 8);
          data.set(JAVA_INT, 4, viable ? 1 : 0);
          return 0;
        }
        case 0x3b68 -> {
          container = (Container) kernel.object(data.get(JAVA_INT, 0));
          container.groups++;
          return 0;
        }
        case 0x3b69 -> {
          container = null;
          return 0;
        }
        case 0x3b6a -> {
          FakeDevice device = devices.get(data.getString(0));
          if (device == null || container == null || !container.ready) {
            throw refused(request.name(), toString(), device == null ? Errno.ENODEV : Errno.EINVAL);
          }
          return kernel.add(device);
        }
        default -> throw refused(request.name(), toString(), Errno.ENOTTY);
      }
    }

    @Override
    public String toString() {
      return "group " + number;
    }
  }

  private record Mapping(long phys, long length, int access, long pins) {}

  /** A container of type 1 version 2. */
  final class Container {
    private final TreeMap<Long, Mapping> mappings = new TreeMap<>();
    private int groups;
    private boolean ready;

    private int request(IoctlRequest request, MemorySegment data, long value) {
      switch ((int) request.number()) {
        case 0x3b64 -> {
          return 0;
        }
        case 0x3b65 -> {
          return value == 3 ? 1 : 0;
        }
        case 0x3b66 -> {
          if (groups == 0) {
            throw refused(request.name(), toString(), Errno.EINVAL);
          }
          if (!interruptRemapping) {
            throw refused(request.name(), toString(), Errno.EPERM);
          }
          ready = true;
        }
        case 0x3b70 -> info(data);
        case 0x3b71 -> map(data);
        case 0x3b72 -> unmap(data);
        default -> throw refused(request.name(), toString(), Errno.ENOTTY);
      }
      return 0;
    }

    /** The mappings left, and two windows around the interrupt window, which lie where they fall, as before Linux 6.6; only the size if there is no room. */
    private void info(MemorySegment data) {
      requireSize(data, 24);
      int given = data.get(JAVA_INT, 0);
      data.set(JAVA_INT, 0, 24 + 12 + 48);
      data.set(JAVA_INT, 4, 3);
      data.set(JAVA_LONG, 8, 0xfffffffffffff000L);
      data.set(JAVA_INT, 16, 0);
      if (given < 24 + 12 + 48) {
        return;
      }
      data.set(JAVA_INT, 16, 24);
      header(data, 24, 3, 36);
      data.set(JAVA_INT, 32, mostMappings - mappings.size());
      header(data, 36, 1, 0);
      data.set(JAVA_INT, 44, 2);
      data.set(JAVA_LONG_UNALIGNED, 52, 0);
      data.set(JAVA_LONG_UNALIGNED, 60, 0xfedfffffL);
      data.set(JAVA_LONG_UNALIGNED, 68, 0xfef00000L);
      data.set(JAVA_LONG_UNALIGNED, 76, lastIova);
    }

    private void header(MemorySegment data, long at, int id, int next) {
      data.set(JAVA_SHORT, at, (short) id);
      data.set(JAVA_SHORT, at + 2, (short) 1);
      data.set(JAVA_INT, at + 4, next);
    }

    private void map(MemorySegment data) {
      requireSize(data, 32);
      int access = data.get(JAVA_INT, 4);
      long phys = data.get(JAVA_LONG, 8);
      long iova = data.get(JAVA_LONG, 16);
      long length = data.get(JAVA_LONG, 24);
      if (length == 0 || ((phys | iova | length) & 4095) != 0 || access == 0 || !allowed(iova, iova + length - 1)) {
        throw refused("MAP_DMA", toString(), Errno.EINVAL);
      }
      Map.Entry<Long, Mapping> below = mappings.floorEntry(iova + length - 1);
      if (below != null && below.getKey() + below.getValue().length > iova) {
        throw refused("MAP_DMA", toString(), Errno.EEXIST);
      }
      if (mappings.size() == mostMappings) {
        throw refused("MAP_DMA", toString(), Errno.ENOSPC);
      }
      // Pages of a BAR are no memory that could be pinned.
      long pins = isBar(phys, length) ? 0 : length;
      if (pinned + pins > mostPinned) {
        throw refused("MAP_DMA", toString(), Errno.ENOMEM);
      }
      pinned += pins;
      mappings.put(iova, new Mapping(phys, length, access, pins));
    }

    private boolean allowed(long first, long last) {
      return last <= 0xfedfffffL || (first >= 0xfef00000L && last <= lastIova);
    }

    private void unmap(MemorySegment data) {
      requireSize(data, 24);
      long iova = data.get(JAVA_LONG, 8);
      long length = data.get(JAVA_LONG, 16);
      Map.Entry<Long, Mapping> first = mappings.floorEntry(iova);
      Map.Entry<Long, Mapping> last = mappings.floorEntry(iova + length - 1);
      boolean cuts =
          (first != null && first.getKey() < iova && first.getKey() + first.getValue().length > iova)
              || (last != null && last.getKey() + last.getValue().length > iova + length);
      if (cuts) {
        throw refused("UNMAP_DMA", toString(), Errno.EINVAL);
      }
      if (unmapShortBy != 0) {
        data.set(JAVA_LONG, 16, 0);
        return;
      }
      var inside = mappings.subMap(iova, iova + length);
      long done = inside.values().stream().mapToLong(m -> m.length).sum();
      pinned -= inside.values().stream().mapToLong(m -> m.pins).sum();
      inside.clear();
      data.set(JAVA_LONG, 16, done);
    }

    /** Return what a device reaches; null if a translation or a permission is missing. */
    MemorySegment reach(long iova, long length, int access) {
      Map.Entry<Long, Mapping> at = mappings.floorEntry(iova);
      if (at == null || iova + length > at.getKey() + at.getValue().length || (at.getValue().access & access) == 0) {
        return null;
      }
      return MemorySegment.ofAddress(at.getValue().phys + iova - at.getKey()).reinterpret(length);
    }

    @Override
    public String toString() {
      return "container";
    }
  }
}
