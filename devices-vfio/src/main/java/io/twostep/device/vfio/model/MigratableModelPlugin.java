package io.twostep.device.vfio.model;

import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Makes {@link MigratableModel}s by the name {@code migratable}. */
public final class MigratableModelPlugin implements DeviceModelPlugin {
  /** Create the plugin; ServiceLoader does. */
  public MigratableModelPlugin() {}

  @Override
  public String name() {
    return "migratable";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "a copy engine that can be migrated while it works";
  }

  @Override
  public List<Setting> settings() {
    ModelConfig config = ModelConfig.DEFAULT;
    return List.of(
        new Setting("peer-to-peer", String.valueOf(config.features().peerToPeer()), "whether it has the P2P states"),
        new Setting("pre-copy", String.valueOf(config.features().preCopy()), "whether its state can be read while it runs"),
        new Setting("tracks", String.valueOf(config.tracks()), "whether it reports the pages that it writes"),
        new Setting("log-entries", String.valueOf(config.logEntries()), "pages it can note between two reports, 1 to 1048576"),
        new Setting("queues", String.valueOf(config.queues()), "queues, 1 to 16"),
        new Setting("in-flight", String.valueOf(config.inFlight()), "most commands it works on at once, 1 to 64"),
        new Setting("internal-pages", String.valueOf(config.internalPages()), "pages of 4 KiB of its own memory, 1 to 16384"),
        new Setting("pages-per-turn", String.valueOf(config.pagesPerTurn()), "most pages that it moves at a turn, 1 to 1024"));
  }

  @Override
  public DeviceModel create(Settings settings) {
    return new MigratableModel(
        new ModelConfig(
            new MigrationFeatures(settings.flag("peer-to-peer"), settings.flag("pre-copy")),
            settings.flag("tracks"),
            settings.number("log-entries", 1, 1 << 20),
            settings.number("queues", 1, 16),
            settings.number("in-flight", 1, 64),
            settings.number("internal-pages", 1, 1 << 14),
            settings.number("pages-per-turn", 1, 1 << 10)));
  }
}
