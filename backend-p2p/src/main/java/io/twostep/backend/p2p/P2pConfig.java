package io.twostep.backend.p2p;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;

/**
 * What the peer layer believes. Immutable.
 *
 * @param hostBridges host bridges that forward between devices: models with {@code =any} or {@code =same}, and {@code known}, separated by commas
 */
public record P2pConfig(String hostBridges) {
  static final List<Setting> SETTINGS =
      List.of(
          new Setting(
              "host-bridges",
              HostBridgeList.KNOWN,
              "host bridges that forward between devices: known (a list that comes with the layer), vendor:device=any or =same, vendor:*; by commas; empty for none"));

  /**
   * Check the values.
   *
   * @throws IllegalArgumentException naming the word that does not fit
   */
  public P2pConfig {
    HostBridgeList.of(hostBridges);
  }

  /** Return the defaults. */
  public static P2pConfig defaults() {
    return of(Settings.defaults(new P2pBackendPlugin()));
  }

  static P2pConfig of(Settings settings) {
    return new P2pConfig(settings.text("host-bridges"));
  }
}
