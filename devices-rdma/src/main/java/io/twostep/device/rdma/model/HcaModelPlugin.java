package io.twostep.device.rdma.model;

import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Makes host channel adapter models by name: {@code hca}. */
public final class HcaModelPlugin implements DeviceModelPlugin {
  private static final List<Setting> SETTINGS =
      List.of(
          new Setting("wire", "", "name of the wire it is plugged into; two adapters of this JVM that name the same one are connected; empty for a plug that leads back to itself"),
          new Setting("seed", "1", "where the wire's randomness comes from"),
          new Setting("loss", "0", "probability that a packet sent from here is lost, 0 to 1"),
          new Setting("duplication", "0", "probability that a packet arrives twice"),
          new Setting("reordering", "0", "probability that a packet overtakes others that wait"),
          new Setting("corruption", "0", "probability that one bit of a packet flips"),
          new Setting("truncation", "0", "probability that the end of a packet is missing"),
          new Setting("poll-nanos", "10000", "how often it looks for packets on a named wire, nanoseconds of its machine"),
          new Setting("masters-bus", "true", "whether it says that it reaches memory itself"));

  /** Create the plugin; ServiceLoader does. */
  public HcaModelPlugin() {}

  @Override
  public String name() {
    return "hca";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "RDMA adapter at one end of a wire, with keys, page faults and reliable connections";
  }

  @Override
  public List<Setting> settings() {
    return SETTINGS;
  }

  @Override
  public DeviceModel create(Settings settings) {
    String wire = settings.text("wire").trim();
    long seed = settings.number("seed");
    WireFaults faults =
        new WireFaults(
            probability(settings, "loss"),
            probability(settings, "duplication"),
            probability(settings, "reordering"),
            probability(settings, "corruption"),
            probability(settings, "truncation"));
    long poll = settings.number("poll-nanos", 1, Integer.MAX_VALUE);
    boolean mastersBus = settings.flag("masters-bus");
    return wire.isEmpty()
        ? new HcaModel(Wire.loopback(faults, seed), new HcaModelConfig(mastersBus, 0))
        : new HcaModel(NamedWires.plug(wire, faults, seed), new HcaModelConfig(mastersBus, poll));
  }

  private static double probability(Settings settings, String name) {
    double value;
    try {
      value = Double.parseDouble(settings.text(name).trim());
    } catch (NumberFormatException e) {
      value = Double.NaN;
    }
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException("setting '" + name + "' of hca is '" + settings.text(name) + "'; it must be a probability from 0 to 1, such as 0.01");
    }
    return value;
  }
}
