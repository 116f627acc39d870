package io.twostep.dma.spi;

import java.util.List;

/**
 * One set of translations, shared by all devices that the machine cannot tell apart.
 *
 * <p>Compared by identity: backends keep one allocator and one table per address space. Thread-safe.
 */
public interface AddressSpace {
  /** What lies between the devices and memory. */
  enum Translation {
    /** An IOMMU translates. */
    TRANSLATED,
    /** An IOMMU passes addresses through unchanged. */
    IDENTITY,
    /** An IOMMU lets nothing through. */
    BLOCKED,
    /** There is no IOMMU. */
    NONE
  }

  /** Return the name for messages, such as {@code group 7}. */
  String name();

  /** Return what lies between the devices and memory. */
  Translation translation();

  /**
   * Return the IOMMU's side of this address space.
   *
   * @throws IllegalStateException unless {@link Translation#TRANSLATED}
   */
  Iommu iommu();

  /** Return who owns the translations: the same object for as long as the address space lives, made together with it. */
  SpaceOwner owner();

  /** Return the devices in it. */
  List<DeviceSlot> members();

  /** Return I/O addresses that must never be handed out: interrupt windows, host-bridge windows, firmware's own. */
  List<AddressRange> reserved();

  /** Return the piecewise offsets between physical and DMA addresses where nothing translates; empty for identity. */
  default List<OffsetWindow> offsetWindows() {
    return List.of();
  }

  /** Return the highest DMA address the interconnect passes, inclusive; all ones for no limit. */
  default long busLimit() {
    return -1L;
  }
}
