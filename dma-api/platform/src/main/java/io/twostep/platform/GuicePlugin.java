package io.twostep.platform;

import com.google.inject.Module;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Settings;

/**
 * Puts a plugin together with Guice instead of the plugin's own {@code create} or {@code bind}; optional, found by ServiceLoader beside {@link DmaPlugin}.
 *
 * <p>Implementations are public with a public constructor without parameters, listed in {@code module-info} and in {@code
 * META-INF/services/io.twostep.platform.GuicePlugin}.
 */
public interface GuicePlugin {
  /** Return the name of the plugin it is for. */
  String name();

  /** Return the kind of the plugin it is for. */
  DmaPlugin.Kind kind();

  /**
   * Return a new module for one instance.
   *
   * <p>It is installed in a private module of its own and must bind what the plugin makes: {@code Backend}, {@code Machine}, {@code
   * DeviceModel} or {@code Driver}. It may inject {@link Settings}; all but a machine may inject {@code Machine}; a driver may inject {@code
   * DriverContext}. All bindings are explicit, constructors carry {@code @Inject}, and there are no circular proxies. What is bound by constructor or
   * provider is closed when assembly fails half-way; what is bound by instance is closed only once assembly has reached it.
   *
   * @throws IllegalArgumentException for settings that do not fit
   */
  Module module(Settings settings);
}
