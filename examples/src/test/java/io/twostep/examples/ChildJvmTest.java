package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.dma.DmaMapper;
import io.twostep.machine.model.ModelMachine;
import java.io.File;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The mains as users start them: in a JVM with nothing on its path that they do not need. */
class ChildJvmTest {
  private static final String SEEN = "the device sees: hello, device";

  @Test
  void aBufferIsMappedWithoutGuiceOnThePath() throws Exception {
    String path =
        Stream.of(DmaMapper.class, ModelMachine.class, IommuBackend.class, MapABuffer.class, Class.forName("org.slf4j.Logger"))
            .map(ChildJvmTest::place)
            .distinct()
            .collect(Collectors.joining(File.pathSeparator));
    assertThat(path).doesNotContain("guice");
    assertThat(run("-cp", path, MapABuffer.class.getName())).contains(SEEN);
  }

  @Test
  void aBufferIsMappedWithGuiceOnTheModulePath() throws Exception {
    String modules = System.getProperty("jdk.module.path");
    assumeTrue(modules != null, "only a build that runs tests on the module path has modules to start");
    String places = String.join(File.pathSeparator, modules, place(MapABuffer.class));
    String main = "io.twostep.examples/" + MapABufferWithGuice.class.getName();
    assertThat(run("-p", places, "-m", main)).contains(SEEN);
  }

  @Test
  void pluginsAreFoundOnTheModulePath() throws Exception {
    String modules = System.getProperty("jdk.module.path");
    assumeTrue(modules != null, "only a build that runs tests on the module path has modules to start");
    String places = String.join(File.pathSeparator, modules, place(Twostep.class));
    assertThat(run("-p", places, "-m", "io.twostep.examples/" + Twostep.class.getName(), "plugins"))
        .contains("terminal direct", "terminal iommu", "machine model", "device-model nvme", "driver nvme");
  }

  private static String run(String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dguice_custom_class_loading=CHILD");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(Arrays.asList(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  private static String place(Class<?> member) {
    try {
      return Path.of(member.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
