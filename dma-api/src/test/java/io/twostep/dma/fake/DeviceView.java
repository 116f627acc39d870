package io.twostep.dma.fake;

/** What a device sees behind a DMA address. */
public interface DeviceView {
  long NOTHING = -1;

  /** Return the physical address that an access reaches, or {@link #NOTHING} if it is refused; {@code access} as in MapFlags. */
  long phys(long dmaAddress, int access);

  /** Note that the device wrote there. */
  default void written(long dmaAddress) {}
}
