package com.example.aperture;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Offers {@link ApertureBackend} by the name {@code aperture}. */
public final class AperturePlugin implements BackendPlugin {
  static final String NAME = "aperture";
  private static final long LEAST = 4L << 20;
  private static final long MOST = 1L << 30;

  /** Create the plugin; for ServiceLoader. */
  public AperturePlugin() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "maps through one fixed aperture whose page tables are made when the first device is attached";
  }

  @Override
  public List<Setting> settings() {
    return List.of(new Setting("size", "64MiB", "bytes of I/O addresses, whole 2 MiB from 4 MiB to 1 GiB"));
  }

  @Override
  public boolean layer() {
    return false;
  }

  @Override
  public ApertureBackend create(Settings settings) {
    long size = settings.bytes("size");
    if (size < LEAST || size > MOST || size % (2 << 20) != 0) {
      throw new IllegalArgumentException("setting 'size' of aperture is " + size + "; it must be whole 2 MiB from 4 MiB to 1 GiB");
    }
    return new ApertureBackend(size);
  }
}
