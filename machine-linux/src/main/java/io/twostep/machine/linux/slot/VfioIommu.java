package io.twostep.machine.linux.slot;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.vfio.IommuInfo;
import io.twostep.machine.linux.vfio.VfioContainer;
import java.util.List;
import java.util.function.Predicate;

/** A group's translations, kept by the kernel. */
final class VfioIommu implements HostManagedIommu {
  private final String name;
  private final VfioContainer container;
  private final MemoryLocks locks;
  private final long granule;
  private final List<AddressRange> windows;
  private final KernelFaults faults;
  private final Predicate<String> isMember;

  VfioIommu(String name, VfioContainer container, MemoryLocks locks, KernelFaults faults, Predicate<String> isMember) {
    this.name = name;
    this.container = container;
    this.locks = locks;
    this.faults = faults;
    this.isMember = isMember;
    IommuInfo info = container.info();
    granule = info.granule();
    windows = info.windows();
  }

  @Override
  public long granule() {
    return granule;
  }

  @Override
  public List<AddressRange> windows() {
    return windows;
  }

  @Override
  public long highestIova() {
    return windows.isEmpty() ? 0 : windows.getLast().last();
  }

  @Override
  public long mappingSlots() {
    return container.info().mappingsLeft();
  }

  /** Return false: the kernel's driver for VT-d maps what may be written for reading too, since 5.13, and VFIO does not tell which driver it is. */
  @Override
  public boolean enforcesWriteOnly() {
    return false;
  }

  @Override
  public void map(long iova, long phys, long length, int access) {
    try {
      container.map(iova, phys, length, (access & MapFlags.DEVICE_READS) != 0, (access & MapFlags.DEVICE_WRITES) != 0);
    } catch (SystemCallException e) {
      throw refused(iova, phys, length, e);
    }
  }

  private DmaMappingException refused(long iova, long phys, long length, SystemCallException e) {
    DmaMappingException refused =
        switch (e.errno()) {
          case Errno.ENOSPC -> because(
              Reason.MAPPING_SLOTS, iova, phys, length, "the container is full; unmap something, map larger runs, or raise vfio_iommu_type1 dma_entry_limit");
          case Errno.ENOMEM -> because(Reason.PIN_LIMIT, iova, phys, length, "the kernel does not pin so much: " + locks.describe(length));
          case Errno.EEXIST -> because(Reason.ALREADY_LINKED, iova, phys, length, "a part of these I/O addresses is mapped");
          case Errno.EINVAL, Errno.EOVERFLOW -> because(
              Reason.OUT_OF_BOUNDS, iova, phys, length, "not whole pages, or outside the windows of the IOMMU, which are " + windows);
          case Errno.EFAULT -> because(Reason.NOT_BACKED, iova, phys, length, "the process has no such memory, or not the right to write it");
          default -> because(Reason.BACKEND, iova, phys, length, Errno.text(e.errno()));
        };
    refused.initCause(e);
    return refused;
  }

  private DmaMappingException because(Reason reason, long iova, long phys, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot map 0x%x+0x%x at I/O address 0x%x: %s".formatted(name, phys, length, iova, why));
  }

  /** Unmap; what the kernel refuses counts as nothing unmapped. */
  @Override
  public long unmap(long iova, long length) {
    try {
      return container.unmap(iova, length);
    } catch (SystemCallException e) {
      return 0;
    }
  }

  @Override
  public void onFault(FaultListener listener) {
    faults.listen(isMember, listener);
  }
}
