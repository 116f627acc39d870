package io.twostep.platform;

import io.twostep.dma.spi.DmaPlugin;
import java.io.IOException;
import java.net.URLClassLoader;
import java.util.Iterator;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Reads services one by one, so that a broken one is a problem with a name and the others are still found. */
final class ServiceScan implements PluginSource.Opened {
  /** A loader that answers nothing but errors is given up after so many. */
  private static final int MOST_ERRORS = 100;

  private final @Nullable ClassLoader loader;
  private final @Nullable URLClassLoader owned;

  private ServiceScan(@Nullable ClassLoader loader, @Nullable URLClassLoader owned) {
    this.loader = loader;
    this.owned = owned;
  }

  /** Scan what a loader and its parents see. */
  static ServiceScan of(@Nullable ClassLoader loader) {
    return new ServiceScan(loader, null);
  }

  /** Scan the loader's own jars and nothing above; closes it in the end. */
  static ServiceScan ofJars(URLClassLoader loader) {
    return new ServiceScan(loader, loader);
  }

  @Override
  public void plugins(Consumer<DmaPlugin> found, Consumer<String> problems) {
    scan(ServiceLoader.load(DmaPlugin.class, loader), "plugin", found, problems);
  }

  @Override
  public void modules(Consumer<GuicePlugin> found, Consumer<String> problems) {
    scan(ServiceLoader.load(GuicePlugin.class, loader), "Guice module", found, problems);
  }

  private <S> void scan(ServiceLoader<S> services, String what, Consumer<S> found, Consumer<String> problems) {
    Iterator<ServiceLoader.Provider<S>> providers = services.stream().iterator();
    int errors = 0;
    while (errors < MOST_ERRORS) {
      try {
        if (!providers.hasNext()) {
          return;
        }
        ServiceLoader.Provider<S> provider = providers.next();
        if (owned == null || provider.type().getClassLoader() == owned) {
          found.accept(provider.get());
        }
      } catch (ServiceConfigurationError | LinkageError e) {
        errors++;
        problems.accept("a " + what + " cannot be loaded: " + reason(e));
      }
    }
  }

  private static String reason(Throwable e) {
    Throwable cause = e.getCause();
    return cause == null ? String.valueOf(e.getMessage()) : e.getMessage() + ": " + cause;
  }

  @Override
  public void close() throws IOException {
    if (owned != null) {
      owned.close();
    }
  }
}
