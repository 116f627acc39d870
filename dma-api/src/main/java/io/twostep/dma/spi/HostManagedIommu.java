package io.twostep.dma.spi;

import java.util.List;

/**
 * An IOMMU that a host kernel programs on request, such as VFIO type 1 containers.
 *
 * <p>Mappings are runs; a run can be unmapped only whole. Calls may take microseconds and block in the host. Thread-safe.
 */
public non-sealed interface HostManagedIommu extends Iommu {
  /** Return the smallest page the host maps, bytes. */
  long granule();

  /** Return the I/O address ranges the host allows. */
  List<AddressRange> windows();

  /** Return how many more mappings the host grants now. */
  long mappingSlots();

  /** Tell whether a run that devices may only write cannot be read by them; a host that maps it for both is to say so. */
  default boolean enforcesWriteOnly() {
    return true;
  }

  /**
   * Map a run; visible to devices when this returns.
   *
   * @param iova first I/O address, on the granule
   * @param phys first physical address, on the granule; memory of the machine, contiguous there
   * @param length bytes, whole granules
   * @param access {@link MapFlags#DEVICE_READS}, {@link MapFlags#DEVICE_WRITES} or both
   * @throws io.twostep.dma.DmaMappingException MAPPING_SLOTS, PIN_LIMIT, ALREADY_LINKED or OUT_OF_BOUNDS; nothing was mapped then
   */
  void map(long iova, long phys, long length, int access);

  /**
   * Unmap whole runs and return the bytes the host confirms.
   *
   * <p>Fewer than {@code length} means that the rest may still be reachable.
   */
  long unmap(long iova, long length);
}
