package io.twostep.machine.linux.vfio;

import io.twostep.machine.linux.kernel.IoctlRequest;

/** VFIO's requests ({@code linux/vfio.h}): 0x3b00 plus a number from 100, counted apart for containers and devices from 112 on. */
public final class VfioRequests {
  /** Container: the API's version, 0. */
  public static final IoctlRequest GET_API_VERSION = new IoctlRequest("VFIO_GET_API_VERSION", 0x3b64);

  /** Container: whether an extension is there. */
  public static final IoctlRequest CHECK_EXTENSION = new IoctlRequest("VFIO_CHECK_EXTENSION", 0x3b65);

  /** Container: choose the kind of IOMMU. */
  public static final IoctlRequest SET_IOMMU = new IoctlRequest("VFIO_SET_IOMMU", 0x3b66);

  /** Group: whether it may be used. */
  public static final IoctlRequest GROUP_GET_STATUS = new IoctlRequest("VFIO_GROUP_GET_STATUS", 0x3b67);

  /** Group: put it into a container. */
  public static final IoctlRequest GROUP_SET_CONTAINER = new IoctlRequest("VFIO_GROUP_SET_CONTAINER", 0x3b68);

  /** Group: take it out of its container. */
  public static final IoctlRequest GROUP_UNSET_CONTAINER = new IoctlRequest("VFIO_GROUP_UNSET_CONTAINER", 0x3b69);

  /** Group: open a device. */
  public static final IoctlRequest GROUP_GET_DEVICE_FD = new IoctlRequest("VFIO_GROUP_GET_DEVICE_FD", 0x3b6a);

  /** Device: what it has. */
  public static final IoctlRequest DEVICE_GET_INFO = new IoctlRequest("VFIO_DEVICE_GET_INFO", 0x3b6b);

  /** Device: where a region is. */
  public static final IoctlRequest DEVICE_GET_REGION_INFO = new IoctlRequest("VFIO_DEVICE_GET_REGION_INFO", 0x3b6c);

  /** Device: what an interrupt index has. */
  public static final IoctlRequest DEVICE_GET_IRQ_INFO = new IoctlRequest("VFIO_DEVICE_GET_IRQ_INFO", 0x3b6d);

  /** Device: wire, mask, unmask or fire interrupts. */
  public static final IoctlRequest DEVICE_SET_IRQS = new IoctlRequest("VFIO_DEVICE_SET_IRQS", 0x3b6e);

  /** Device: reset the function. */
  public static final IoctlRequest DEVICE_RESET = new IoctlRequest("VFIO_DEVICE_RESET", 0x3b6f);

  /** Container: page sizes, windows, mappings left. */
  public static final IoctlRequest IOMMU_GET_INFO = new IoctlRequest("VFIO_IOMMU_GET_INFO", 0x3b70);

  /** Container: map. */
  public static final IoctlRequest IOMMU_MAP_DMA = new IoctlRequest("VFIO_IOMMU_MAP_DMA", 0x3b71);

  /** Container: unmap. */
  public static final IoctlRequest IOMMU_UNMAP_DMA = new IoctlRequest("VFIO_IOMMU_UNMAP_DMA", 0x3b72);

  /** Extension and kind of IOMMU: type 1, version 2. */
  public static final int TYPE1_V2 = 3;

  private VfioRequests() {}
}
