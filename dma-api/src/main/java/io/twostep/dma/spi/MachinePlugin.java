package io.twostep.dma.spi;

/** Makes a machine. */
public non-sealed interface MachinePlugin extends DmaPlugin {
  /** Make a machine; throws {@link IllegalArgumentException} for settings that do not fit. */
  Machine create(Settings settings);
}
