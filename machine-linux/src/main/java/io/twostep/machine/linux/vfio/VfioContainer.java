package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.OpenFlags;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A set of translations that the kernel keeps for the groups in it: {@code /dev/vfio/vfio}, type 1 version 2. Closing unmaps everything. Thread-safe. */
public final class VfioContainer implements AutoCloseable {
  private final Kernel kernel;
  private final Descriptor descriptor;

  /** One structure for each request, under this object's lock: the kernel takes one at a time anyway. */
  private final Arena arena = Arena.ofShared();

  private final MemorySegment map = arena.allocate(MapLayout.MAP_SIZE, 8);
  private final MemorySegment unmap = arena.allocate(MapLayout.UNMAP_SIZE, 8);
  private boolean closed;

  private VfioContainer(Kernel kernel, Descriptor descriptor) {
    this.kernel = kernel;
    this.descriptor = descriptor;
    map.set(JAVA_INT, 0, (int) MapLayout.MAP_SIZE);
    unmap.set(JAVA_INT, 0, (int) MapLayout.UNMAP_SIZE);
  }

  /**
   * Open a container.
   *
   * @param folder where VFIO's files are, {@code /dev/vfio}
   * @throws SystemCallException with what to do if VFIO is not there
   */
  public static VfioContainer open(Kernel kernel, String folder) {
    String path = folder + "/vfio";
    Descriptor descriptor = openFile(kernel, path);
    try {
      int version = kernel.ioctl(descriptor, VfioRequests.GET_API_VERSION, 0);
      if (version != 0) {
        throw new IllegalStateException(path + ": VFIO has API version " + version + ", and this program knows version 0");
      }
      if (kernel.ioctl(descriptor, VfioRequests.CHECK_EXTENSION, VfioRequests.TYPE1_V2) != 1) {
        throw new IllegalStateException(path + ": VFIO has no type 1 version 2 IOMMU; load it (modprobe vfio_iommu_type1)");
      }
      return new VfioContainer(kernel, descriptor);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(descriptor));
    }
  }

  private static Descriptor openFile(Kernel kernel, String path) {
    try {
      return kernel.open(path, OpenFlags.READ_WRITE);
    } catch (SystemCallException e) {
      throw switch (e.errno()) {
        case Errno.ENOENT, Errno.ENODEV -> e.explained(path, "VFIO is not loaded; load it (modprobe vfio-pci)");
        case Errno.EACCES, Errno.EPERM -> e.explained(path, "run as root, or give your user the file");
        default -> e;
      };
    }
  }

  Descriptor descriptor() {
    return descriptor;
  }

  /**
   * Choose the kind of IOMMU; the container must have a group.
   *
   * @throws SystemCallException EPERM with what to do where interrupts are not remapped
   */
  void setIommu() {
    try {
      kernel.ioctl(descriptor, VfioRequests.SET_IOMMU, VfioRequests.TYPE1_V2);
    } catch (SystemCallException e) {
      throw e.errno() == Errno.EPERM
          ? e.explained(
              descriptor.name(),
              "the IOMMU does not remap interrupts; use hardware that does, or accept the risk (vfio_iommu_type1 allow_unsafe_interrupts=1)")
          : e;
    }
  }

  /** Ask what the IOMMU can do, and what is left of it. */
  public synchronized IommuInfo info() {
    requireOpen();
    try (Arena scratch = Arena.ofConfined()) {
      return IommuInfo.of(InfoReader.read(kernel, descriptor, VfioRequests.IOMMU_GET_INFO, scratch, IommuInfoLayout.SIZE, -1));
    }
  }

  /**
   * Map process memory; all arguments whole pages.
   *
   * @param deviceReads whether devices may read it
   * @param deviceWrites whether devices may write it
   */
  public synchronized void map(long iova, long phys, long length, boolean deviceReads, boolean deviceWrites) {
    requireOpen();
    map.set(JAVA_INT, MapLayout.FLAGS, (deviceReads ? MapLayout.READ : 0) | (deviceWrites ? MapLayout.WRITE : 0));
    map.set(JAVA_LONG, MapLayout.MAP_PHYS, phys);
    map.set(JAVA_LONG, MapLayout.MAP_IOVA, iova);
    map.set(JAVA_LONG, MapLayout.MAP_LENGTH, length);
    kernel.ioctl(descriptor, VfioRequests.IOMMU_MAP_DMA, map);
  }

  /** Unmap whole mappings and return the bytes that the kernel says it unmapped; all of them once the container is closed, which unmapped everything. */
  public synchronized long unmap(long iova, long length) {
    if (closed) {
      return length;
    }
    unmap.set(JAVA_INT, MapLayout.FLAGS, 0);
    unmap.set(JAVA_LONG, MapLayout.UNMAP_IOVA, iova);
    unmap.set(JAVA_LONG, MapLayout.UNMAP_LENGTH, length);
    kernel.ioctl(descriptor, VfioRequests.IOMMU_UNMAP_DMA, unmap);
    return unmap.get(JAVA_LONG, MapLayout.UNMAP_LENGTH);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(descriptor.name() + ": the container is closed");
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      arena.close();
      kernel.close(descriptor);
    }
  }
}
