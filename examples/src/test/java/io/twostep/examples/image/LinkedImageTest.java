package io.twostep.examples.image;

import static io.twostep.examples.ChildProcess.output;
import static io.twostep.examples.ChildProcess.tool;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.examples.ChildProcess;
import io.twostep.examples.ChildProcess.Ended;
import io.twostep.examples.MapABuffer;
import java.io.File;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Requires.Modifier;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs in a runtime image that jlink made: no class path, no JDK, no module but those that were linked. */
class LinkedImageTest {
  private static final String APPLICATION = "application";

  @TempDir private static Path work;
  private static String modulePath = "";
  private static Path image = Path.of("");

  /** The image that README describes: a program, and every module of ours that can be linked. */
  @BeforeAll
  static void link() throws Exception {
    String modules = System.getProperty("jdk.module.path");
    assumeTrue(modules != null, "only a build that runs tests on the module path has modules to link");
    modulePath = modules + File.pathSeparator + ChildProcess.place(MapABuffer.class);
    Path application = compileApplication();
    image = work.resolve("image");
    output(
        tool("jlink"),
        "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC",
        "--module-path", modulePath + File.pathSeparator + application,
        "--add-modules", APPLICATION + "," + String.join(",", linkable()),
        "--launcher", "map-a-buffer=" + APPLICATION + "/" + MapABuffer.class.getName(),
        "--launcher", "store-a-block=" + APPLICATION + "/" + StoreABlock.class.getName(),
        "--add-options=--enable-native-access=io.twostep.machine.linux",
        "--output", image.toString());
  }

  @Test
  void aDeviceReadsTheBytesOfAMappedBuffer() throws Exception {
    assertThat(launch("map-a-buffer")).contains("the device sees: hello, device");
  }

  @Test
  void pluginsAreFoundByNameAndABlockComesBackFromTheDrive() throws Exception {
    assertThat(launch("store-a-block"))
        .contains(
            "terminal direct", "terminal iommu", "layer p2p", "layer swiotlb", "machine model", "machine linux", "machine vfio-user", "device-model nvme",
            "driver nvme", "device-model hca", "driver hca", "came back: true");
  }

  @Test
  void theImageHoldsEveryModuleThatNeedsNoAutomaticOne() throws Exception {
    Set<String> held =
        output(image.resolve("bin/java").toString(), "--list-modules").lines().map(line -> line.replaceFirst("@.*", "")).collect(toSet());
    assertThat(held)
        .contains(
            "io.twostep.dma", "io.twostep.backend.direct", "io.twostep.backend.iommu", "io.twostep.backend.swiotlb", "io.twostep.backend.p2p",
            "io.twostep.machine.model", "io.twostep.machine.linux", "io.twostep.device.nvme", "io.twostep.device.rdma", "io.twostep.device.vfio", "org.slf4j")
        .doesNotContain("io.twostep.platform", "io.twostep.backend.debug", "com.google.guice", "jdk.compiler");
  }

  @Test
  void whatCannotBeLinkedNeedsGuiceOrHdrHistogram() {
    assertThat(unlinkable())
        .isEqualTo(
            Map.of(
                "io.twostep.platform", Set.of("com.google.guice", "aopalliance"),
                "io.twostep.backend.debug", Set.of("HdrHistogram"),
                "io.twostep.examples", Set.of("com.google.guice", "aopalliance", "HdrHistogram")));
  }

  @Test
  void jlinkRefusesThePlatformAndNamesTheAutomaticModule() throws Exception {
    Ended ended =
        ChildProcess.run(
            List.of(tool("jlink"), "--module-path", modulePath, "--add-modules", "io.twostep.platform", "--output", work.resolve("refused").toString()));
    assertThat(ended.status()).isNotZero();
    // An automatic module resolves all others there are; which of them is refused is up to the order of a set, another in each JVM.
    assertThat(ended.output()).containsPattern("automatic module cannot be used with jlink: (" + String.join("|", automatic()) + ") ");
  }

  /** Compile the example as it stands, and a program that knows names only, as an application that requires no more than it must. */
  private static Path compileApplication() throws Exception {
    Path descriptor = work.resolve("module-info.java");
    Files.writeString(
        descriptor,
        """
        module application {
          requires io.twostep.backend.iommu;
          requires io.twostep.machine.model;
          requires io.twostep.device.nvme;
          uses io.twostep.dma.spi.DmaPlugin;
        }
        """);
    Path classes = work.resolve(APPLICATION);
    output(
        tool("javac"), "-p", modulePath, "-d", classes.toString(), descriptor.toString(),
        source("main", MapABuffer.class), source("test", StoreABlock.class));
    return classes;
  }

  private static String source(String root, Class<?> type) {
    return Path.of("src", root, "java", type.getName().replace('.', '/') + ".java").toString();
  }

  private static String launch(String launcher) throws Exception {
    return output(image.resolve("bin").resolve(launcher).toString());
  }

  private static List<String> linkable() {
    Set<String> not = unlinkable().keySet();
    return ours().filter(name -> !not.contains(name)).toList();
  }

  /** Our modules that need an automatic module, directly or not, with the automatic modules. */
  private static Map<String, Set<String>> unlinkable() {
    Map<String, Set<String>> needs = new TreeMap<>();
    ours().forEach(name -> needs.put(name, automaticBelow(name).collect(toSet())));
    needs.values().removeIf(Set::isEmpty);
    return needs;
  }

  private static Stream<String> automaticBelow(String module) {
    ModuleDescriptor descriptor = finder().find(module).map(ModuleReference::descriptor).orElse(null);
    if (descriptor == null) {
      return Stream.of();
    }
    if (descriptor.isAutomatic()) {
      return Stream.of(module);
    }
    return descriptor.requires().stream().filter(r -> !r.modifiers().contains(Modifier.STATIC)).flatMap(r -> automaticBelow(r.name()));
  }

  private static Stream<String> ours() {
    return descriptors().map(ModuleDescriptor::name).filter(name -> name.startsWith("io.twostep.")).sorted();
  }

  private static List<String> automatic() {
    return descriptors().filter(ModuleDescriptor::isAutomatic).map(ModuleDescriptor::name).toList();
  }

  private static Stream<ModuleDescriptor> descriptors() {
    return finder().findAll().stream().map(ModuleReference::descriptor);
  }

  private static ModuleFinder finder() {
    return ModuleFinder.of(Arrays.stream(modulePath.split(File.pathSeparator)).map(Path::of).toArray(Path[]::new));
  }
}
