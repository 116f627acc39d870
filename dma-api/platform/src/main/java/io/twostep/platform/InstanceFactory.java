package io.twostep.platform;

import com.google.inject.Key;
import com.google.inject.Module;
import com.google.inject.Scopes;
import com.google.inject.name.Names;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Settings;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Makes the private modules of instances, from a plugin's own Guice module where it has one and from its factory method where not. */
final class InstanceFactory {
  private final PluginCatalog catalog;
  private final Consumer<AutoCloseable> made;
  private final Consumer<String> problem;

  InstanceFactory(PluginCatalog catalog, Consumer<AutoCloseable> made, Consumer<String> problem) {
    this.catalog = catalog;
    this.made = made;
    this.problem = problem;
  }

  /** Return the key under which an instance is exposed. */
  static <T> Key<T> key(Class<T> type, String name) {
    return Key.get(type, Names.named(name));
  }

  /**
   * Make the module of an instance; returns null and reports if the plugin's Guice module refuses.
   *
   * @param what names the instance in messages
   * @param create the plugin's factory method
   */
  <T> @Nullable Module module(
      Key<T> key, Class<T> type, DmaPlugin plugin, Settings settings, String what, Supplier<? extends T> create) {
    GuicePlugin guice = catalog.moduleFor(plugin);
    Module parts;
    if (guice == null) {
      parts = binder -> binder.bind(type).toProvider(() -> guarded(what, create)).in(Scopes.SINGLETON);
    } else {
      try {
        parts = guice.module(settings);
      } catch (RuntimeException e) {
        problem.accept(new InstanceFailure(what, e).text());
        return null;
      }
    }
    return new InstanceModule<>(what, key, type, settings, parts, made);
  }

  private static <T> T guarded(String what, Supplier<? extends T> create) {
    try {
      T instance = create.get();
      if (instance == null) {
        throw new IllegalStateException("the plugin made nothing: its factory method returned null");
      }
      return instance;
    } catch (RuntimeException e) {
      throw new InstanceFailure(what, e);
    }
  }
}
