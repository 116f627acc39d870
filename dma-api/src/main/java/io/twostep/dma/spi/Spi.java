package io.twostep.dma.spi;

/**
 * The version of this SPI.
 *
 * <p>A plugin returns {@link #VERSION} from {@link DmaPlugin#spiVersion}; the compiler copies the number into the plugin, so that a plugin
 * built against another SPI is found out at assembly.
 */
public final class Spi {
  /** Raised with every incompatible change. */
  public static final int VERSION = 1;

  private Spi() {}

  /**
   * Refuse a plugin built against another SPI.
   *
   * @throws IllegalArgumentException naming the plugin and both versions
   */
  public static void requireCompatible(DmaPlugin plugin) {
    if (plugin.spiVersion() != VERSION) {
      throw new IllegalArgumentException(
          "plugin '"
              + plugin.name()
              + "' ("
              + plugin.getClass().getName()
              + ") was built for SPI version "
              + plugin.spiVersion()
              + ", this is version "
              + VERSION
              + "; rebuild it or use its matching release");
    }
  }
}
