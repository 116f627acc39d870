package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.OpenFlags;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The devices that an IOMMU cannot tell apart: {@code /dev/vfio/N}, in a container of its own. Close its devices first. */
public final class VfioGroup implements AutoCloseable {
  private final Kernel kernel;
  private final Descriptor descriptor;
  private final VfioContainer container;

  private VfioGroup(Kernel kernel, Descriptor descriptor, VfioContainer container) {
    this.kernel = kernel;
    this.descriptor = descriptor;
    this.container = container;
  }

  /**
   * Open a group and put it into a new container.
   *
   * @param folder where VFIO's files are, {@code /dev/vfio}
   * @param number the group's number
   * @param members who is in the group, and which driver has each, for messages
   * @throws IllegalStateException if a device of the group still has a driver of the kernel
   * @throws SystemCallException with what to do if the group is in use, not there, or not ours to open
   */
  public static VfioGroup open(Kernel kernel, String folder, int number, String members) {
    VfioContainer container = VfioContainer.open(kernel, folder);
    try {
      Descriptor descriptor = openFile(kernel, folder + "/" + number);
      try {
        requireViable(kernel, descriptor, number, members);
        join(kernel, descriptor, container);
        return new VfioGroup(kernel, descriptor, container);
      } catch (RuntimeException e) {
        throw Closing.after(e, () -> kernel.close(descriptor));
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, container::close);
    }
  }

  private static Descriptor openFile(Kernel kernel, String path) {
    try {
      return kernel.open(path, OpenFlags.READ_WRITE);
    } catch (SystemCallException e) {
      throw switch (e.errno()) {
        case Errno.ENOENT, Errno.ENODEV -> e.explained(path, "no device of the group is bound to vfio-pci; bind it");
        case Errno.EACCES -> e.explained(path, "run as root, or give your user the file");
        case Errno.EBUSY -> e.explained(path, "another process has the group open; end it");
        default -> e;
      };
    }
  }

  private static void requireViable(Kernel kernel, Descriptor descriptor, int number, String members) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(GroupStatusLayout.SIZE, 8);
      status.set(JAVA_INT, 0, (int) GroupStatusLayout.SIZE);
      kernel.ioctl(descriptor, VfioRequests.GROUP_GET_STATUS, status);
      if ((status.get(JAVA_INT, GroupStatusLayout.FLAGS) & GroupStatusLayout.VIABLE) == 0) {
        throw new IllegalStateException(
            "IOMMU group " + number + " is not viable: a device of it still has a driver of the kernel; bind all of it but bridges to vfio-pci, or unbind them: " + members);
      }
    }
  }

  private static void join(Kernel kernel, Descriptor descriptor, VfioContainer container) {
    try (Arena arena = Arena.ofConfined()) {
      kernel.ioctl(descriptor, VfioRequests.GROUP_SET_CONTAINER, arena.allocateFrom(JAVA_INT, container.descriptor().number()));
    }
    try {
      container.setIommu();
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.ioctl(descriptor, VfioRequests.GROUP_UNSET_CONTAINER, 0));
    }
  }

  /** Return the group's translations. */
  public VfioContainer container() {
    return container;
  }

  /** Open a device of the group by its PCI address. */
  public VfioDevice openDevice(String address) {
    Descriptor device;
    try (Arena arena = Arena.ofConfined()) {
      device = new Descriptor(kernel.ioctl(descriptor, VfioRequests.GROUP_GET_DEVICE_FD, arena.allocateFrom(address)), address);
    } catch (SystemCallException e) {
      throw e.explained(address, e.errno() == Errno.ENODEV ? "it is not bound to vfio-pci, or not in " + descriptor.name() + "; bind it" : "see the kernel's log");
    }
    return VfioDevice.of(kernel, device);
  }

  @Override
  public void close() {
    new Closing().then(() -> kernel.close(descriptor)).then(container::close).end();
  }
}
