package io.twostep.machine.linux;

import java.util.List;

/**
 * A PCI function of this computer as the kernel describes it.
 *
 * @param address such as {@code 0000:03:00.0}
 * @param vendor vendor number
 * @param device device number
 * @param classCode class code, 24 bits
 * @param driver name of the kernel driver that has it; empty for none
 * @param group number of its IOMMU group; -1 where no IOMMU translates for it
 * @param requester the address that its requests carry at the IOMMU: its own, or behind a bridge to conventional PCI one of the bridge's, as far as this process may read
 * @param companions the other functions of its group
 * @param bars what its BARs decode to, 0 to 5
 */
public record PciFunction(
    String address, int vendor, int device, int classCode, String driver, int group, String requester, List<String> companions, List<PciBar> bars) {
  /** Driver that hands functions to programs. */
  public static final String VFIO_DRIVER = "vfio-pci";

  /** Class code of bridges, the upper 8 of its 24 bits. */
  private static final int BRIDGES = 0x06;

  /** Copy the lists. */
  public PciFunction {
    companions = List.copyOf(companions);
    bars = List.copyOf(bars);
  }

  /** Tell whether it is bound to VFIO. */
  public boolean isBoundToVfio() {
    return driver.equals(VFIO_DRIVER);
  }

  /** Tell whether it is a bridge, which stays with the kernel and does not keep its group from being used. */
  public boolean isBridge() {
    return classCode >>> 16 == BRIDGES;
  }

  /** Tell whether the IOMMU knows requests of an address, such as in its words of a refused one, as this function's. */
  public boolean requestsAs(String other) {
    return address.equals(other) || requester.equals(other);
  }

  /**
   * What one BAR decodes to.
   *
   * @param busAddress where it lies on the bus; 0 if there is none
   * @param length bytes; 0 if there is none
   * @param prefetchable whether it is memory without side effects
   * @param io whether it is I/O ports
   */
  public record PciBar(long busAddress, long length, boolean prefetchable, boolean io) {}
}
