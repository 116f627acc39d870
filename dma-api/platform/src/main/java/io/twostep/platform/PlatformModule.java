package io.twostep.platform;

import com.google.inject.AbstractModule;
import com.google.inject.name.Names;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * Lets a program's own injector have a platform: binds {@link Platform}, {@link Machine}, {@link PhysicalMemory}, and for each device a {@code
 * @Named("address") DmaMapper} that is attached when it is first asked for.
 *
 * <p>The platform stays the caller's to close.
 */
public final class PlatformModule extends AbstractModule {
  private final Platform platform;

  /** Create a module for a running platform. */
  public PlatformModule(Platform platform) {
    this.platform = platform;
  }

  @Override
  protected void configure() {
    bind(Platform.class).toInstance(platform);
    bind(Machine.class).toInstance(platform.machine());
    bind(PhysicalMemory.class).toInstance(platform.memory());
    for (String address : platform.devices()) {
      bind(DmaMapper.class).annotatedWith(Names.named(address)).toProvider(() -> platform.mapper(address));
    }
  }
}
