package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import java.util.List;

/** A sound backend with one mistake. */
record BrokenPlugin(BackendPlugin sound, Defect.World world, Defect.Ops ops, Defect.End end) implements BackendPlugin {
  BrokenPlugin(BackendPlugin sound, Defect.World world, Defect.Ops ops) {
    this(sound, world, ops, Backend::close);
  }

  @Override
  public String name() {
    return sound.name();
  }

  @Override
  public int spiVersion() {
    return sound.spiVersion();
  }

  @Override
  public String description() {
    return sound.description();
  }

  @Override
  public List<Setting> settings() {
    return sound.settings();
  }

  @Override
  public boolean layer() {
    return sound.layer();
  }

  @Override
  public Backend create(Settings settings) {
    return switch (sound.create(settings)) {
      case TerminalBackend terminal -> new BrokenTerminal(terminal, this);
      case LayerBackend layer -> new BrokenLayer(layer, this);
    };
  }

  private record BrokenTerminal(TerminalBackend sound, BrokenPlugin plugin) implements TerminalBackend {
    @Override
    public String name() {
      return sound.name();
    }

    @Override
    public DmaOps attach(AttachContext context) {
      AttachContext seen = plugin.world.seen(context);
      return plugin.ops.above(sound.attach(seen), seen);
    }

    @Override
    public void close() {
      plugin.end.close(sound);
    }
  }

  private record BrokenLayer(LayerBackend sound, BrokenPlugin plugin) implements LayerBackend {
    @Override
    public String name() {
      return sound.name();
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      AttachContext seen = plugin.world.seen(context);
      return plugin.ops.above(sound.attach(seen, next), seen);
    }

    @Override
    public void close() {
      plugin.end.close(sound);
    }
  }
}
