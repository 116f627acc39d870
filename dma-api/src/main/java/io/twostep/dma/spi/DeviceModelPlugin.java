package io.twostep.dma.spi;

/** Makes a device in software, for machines that host models. */
public non-sealed interface DeviceModelPlugin extends DmaPlugin {
  /** Make a device model; throws {@link IllegalArgumentException} for settings that do not fit. */
  DeviceModel create(Settings settings);
}
