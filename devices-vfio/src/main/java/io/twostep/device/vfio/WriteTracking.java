package io.twostep.device.vfio;

/** Who notes which pages of the guest a device writes. */
public enum WriteTracking {
  /** The IOMMU where it can, else the device. */
  AUTO,
  /** The IOMMU's dirty bits. */
  IOMMU,
  /** The device's own log. */
  DEVICE
}
