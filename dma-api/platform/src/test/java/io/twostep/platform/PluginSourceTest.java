package io.twostep.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.DmaPlugin;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plugins from jars in a folder, whole and broken. */
class PluginSourceTest {
  private static final String GOOD =
      """
      package outside;

      public final class Hare implements io.twostep.dma.spi.MachinePlugin {
        @Override public String name() { return "hare"; }
        @Override public int spiVersion() { return io.twostep.dma.spi.Spi.VERSION; }
        @Override public String description() { return "a machine from a jar"; }
        @Override public io.twostep.dma.spi.Machine create(io.twostep.dma.spi.Settings settings) {
          throw new IllegalStateException("hares do not compute");
        }
      }
      """;
  private static final String THROWING =
      """
      package outside;

      public final class Thrower implements io.twostep.dma.spi.MachinePlugin {
        public Thrower() { throw new IllegalStateException("born broken"); }
        @Override public String name() { return "thrower"; }
        @Override public int spiVersion() { return io.twostep.dma.spi.Spi.VERSION; }
        @Override public String description() { return "never made"; }
        @Override public io.twostep.dma.spi.Machine create(io.twostep.dma.spi.Settings settings) { return null; }
      }
      """;

  @TempDir Path work;
  private Path jars;

  @BeforeEach
  void folder() throws IOException {
    jars = Files.createDirectory(work.resolve("jars"));
  }

  @Test
  void aFolderOfJarsIsASourceAndItsManifestGivesTheVersion() throws Exception {
    jar("hare.jar", "outside.Hare", GOOD);
    PluginListing listing = Platform.plugins(PluginSource.jars(jars));
    assertThat(listing.problems()).isEmpty();
    assertThat(listing.plugins())
        .singleElement()
        .satisfies(
            info -> {
              assertThat(info.name()).isEqualTo("hare");
              assertThat(info.kind()).isEqualTo(DmaPlugin.Kind.MACHINE);
              assertThat(info.version()).isEqualTo("9.8.7");
              assertThat(info.module()).isEqualTo("hare");
              assertThat(info.implementation()).isEqualTo("outside.Hare");
              assertThat(info.description()).isEqualTo("a machine from a jar");
            });
    assertThatThrownBy(() -> Platform.builder(PluginSource.jars(jars)).machine("hare").build())
        .hasMessageContaining("machine 'hare': hares do not compute");
  }

  @Test
  void brokenPluginsAreNamedAndTheOthersAreFound() throws Exception {
    jar("a-missing.jar", "outside.Missing", null);
    jar("b-throwing.jar", "outside.Thrower", THROWING);
    jar("c-hare.jar", "outside.Hare", GOOD);
    PluginListing listing = Platform.plugins(PluginSource.jars(jars));
    assertThat(listing.plugins()).extracting(PluginInfo::name).containsExactly("hare");
    assertThat(listing.problems())
        .hasSize(2)
        .anySatisfy(line -> assertThat(line).startsWith("a plugin cannot be loaded: ").contains("outside.Missing").contains("not found"))
        .anySatisfy(line -> assertThat(line).contains("outside.Thrower").contains("born broken"));
  }

  @Test
  void aFolderThatIsMissingOrHoldsNoJarIsAProblem() {
    assertThat(Platform.plugins(PluginSource.jars(jars)).problems()).containsExactly("plugin folder " + jars + " holds no jar");
    Path missing = work.resolve("nowhere");
    assertThat(Platform.plugins(PluginSource.jars(missing)).problems())
        .first()
        .asString()
        .startsWith("plugin folder " + missing + " is no folder; give one that holds jars");
  }

  @Test
  void aJarThatOffersNoPluginIsNamed() throws Exception {
    jar("hare.jar", "outside.Hare", GOOD);
    try (OutputStream out = Files.newOutputStream(jars.resolve("misnamed.jar"));
        JarOutputStream jar = new JarOutputStream(out)) {
      put(jar, "META-INF/services/io.twostep.dma.DmaPlugin", "outside.Hare".getBytes());
    }
    Files.writeString(jars.resolve("torn.jar"), "no zip");
    PluginListing listing = Platform.plugins(PluginSource.jars(jars));
    assertThat(listing.plugins()).extracting(PluginInfo::name).containsExactly("hare");
    assertThat(listing.problems())
        .hasSize(2)
        .anySatisfy(
            line -> assertThat(line).contains("misnamed.jar offers no plugin: it has no META-INF/services/io.twostep.dma.spi.DmaPlugin; "))
        .anySatisfy(line -> assertThat(line).contains("torn.jar cannot be read"));
  }

  @Test
  void theSameJarTwiceIsADuplicateNamedWithBothPlaces() throws Exception {
    jar("one.jar", "outside.Hare", GOOD);
    Path second = Files.createDirectory(work.resolve("more"));
    Files.copy(jars.resolve("one.jar"), second.resolve("two.jar"));
    assertThat(Platform.plugins(PluginSource.jars(jars), PluginSource.jars(second)).problems())
        .singleElement()
        .asString()
        .contains("two machines are called 'hare'")
        .contains("one.jar")
        .contains("two.jar");
  }

  @Test
  void installedPluginsAreThoseOfThePath() {
    assertThat(Platform.plugins().problems()).isEmpty();
    assertThat(Platform.plugins().plugins()).as("this module's tests install none").isEmpty();
  }

  private void jar(String file, String plugin, String source) throws Exception {
    Path classes = Files.createDirectories(work.resolve(file + ".classes"));
    if (source != null) {
      compile(plugin, source, classes);
    }
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.IMPLEMENTATION_VERSION, "9.8.7");
    try (OutputStream out = Files.newOutputStream(jars.resolve(file));
        JarOutputStream jar = new JarOutputStream(out, manifest);
        Stream<Path> files = Files.walk(classes)) {
      for (Path path : files.filter(Files::isRegularFile).toList()) {
        put(jar, classes.relativize(path).toString(), Files.readAllBytes(path));
      }
      put(jar, "META-INF/services/" + DmaPlugin.class.getName(), plugin.getBytes());
    }
  }

  private static void put(JarOutputStream jar, String name, byte[] bytes) throws IOException {
    jar.putNextEntry(new ZipEntry(name));
    jar.write(bytes);
    jar.closeEntry();
  }

  private void compile(String name, String source, Path classes) throws Exception {
    Path file = work.resolve(name.substring(name.lastIndexOf('.') + 1) + ".java");
    Files.writeString(file, source);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "javac").toString());
    command.addAll(List.of("-d", classes.toString(), "-cp", Path.of(DmaPlugin.class.getProtectionDomain().getCodeSource().getLocation().toURI()).toString()));
    command.add(file.toString());
    Process javac = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(javac.getInputStream().readAllBytes());
    assertThat(javac.waitFor()).as(output).isZero();
  }
}
