package io.twostep.platform;

import io.twostep.dma.spi.DmaPlugin;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/** A place where plugins come from. Immutable. */
public final class PluginSource {
  private static final String SERVICES = "META-INF/services/";

  private final Opener opener;

  private PluginSource(Opener opener) {
    this.opener = opener;
  }

  /** Return every plugin on the class path and the module path. */
  public static PluginSource installed() {
    return new PluginSource(problems -> ServiceScan.of(Thread.currentThread().getContextClassLoader()));
  }

  /**
   * Return the plugins of every jar in a folder; the jars see what the program sees, and not each other's folders.
   *
   * <p>A folder that cannot be read or holds no jar, and a jar that offers no plugin, are problems of the platform that uses it. Libraries of plugins
   * belong on the class path, or in another folder that the manifest of the plugin's jar names in its {@code Class-Path}.
   */
  public static PluginSource jars(Path folder) {
    return new PluginSource(problems -> openJars(folder, problems));
  }

  /** Return these instances. */
  public static PluginSource of(DmaPlugin... plugins) {
    return of(List.of(plugins), List.of());
  }

  /** Return these instances, and the Guice modules of some of them. */
  public static PluginSource of(List<DmaPlugin> plugins, List<GuicePlugin> modules) {
    List<DmaPlugin> given = List.copyOf(plugins);
    List<GuicePlugin> guice = List.copyOf(modules);
    return new PluginSource(problems -> new Given(given, guice));
  }

  Opened open(Consumer<String> problems) {
    return opener.open(problems);
  }

  private static Opened openJars(Path folder, Consumer<String> problems) {
    List<URL> urls = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        if (file.toString().endsWith(".jar")) {
          urls.add(url(file));
          checkOffers(file, problems);
        }
      }
      if (urls.isEmpty()) {
        problems.accept("plugin folder " + folder + " holds no jar");
      }
    } catch (NoSuchFileException | NotDirectoryException e) {
      problems.accept("plugin folder " + folder + " is no folder; give one that holds jars");
    } catch (IOException e) {
      problems.accept("plugin folder " + folder + " cannot be read: " + e);
    }
    return ServiceScan.ofJars(new URLClassLoader(urls.toArray(URL[]::new), PluginSource.class.getClassLoader()));
  }

  /** A jar with a misnamed service file would otherwise just not be there. */
  private static void checkOffers(Path file, Consumer<String> problems) {
    try (JarFile jar = new JarFile(file.toFile())) {
      if (jar.getEntry(SERVICES + DmaPlugin.class.getName()) == null && jar.getEntry(SERVICES + GuicePlugin.class.getName()) == null) {
        problems.accept(
            "jar " + file + " offers no plugin: it has no " + SERVICES + DmaPlugin.class.getName()
                + "; add that file, or keep libraries out of the plugin folder");
      }
    } catch (IOException e) {
      problems.accept("jar " + file + " cannot be read: " + e.getMessage());
    }
  }

  private static URL url(Path file) {
    try {
      return file.toUri().toURL();
    } catch (MalformedURLException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Makes an opened source, and reports what it cannot open. */
  private interface Opener {
    Opened open(Consumer<String> problems);
  }

  /** An opened source; must stay open while its plugins are used. */
  interface Opened extends AutoCloseable {
    void plugins(Consumer<DmaPlugin> found, Consumer<String> problems);

    void modules(Consumer<GuicePlugin> found, Consumer<String> problems);

    @Override
    void close() throws IOException;
  }

  private record Given(List<DmaPlugin> plugins, List<GuicePlugin> modules) implements Opened {
    @Override
    public void plugins(Consumer<DmaPlugin> found, Consumer<String> problems) {
      plugins.forEach(found);
    }

    @Override
    public void modules(Consumer<GuicePlugin> found, Consumer<String> problems) {
      modules.forEach(found);
    }

    @Override
    public void close() {}
  }
}
