package io.twostep.examples;

import static io.twostep.examples.ChildProcess.output;
import static io.twostep.examples.ChildProcess.place;
import static io.twostep.examples.ChildProcess.tool;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.dma.DmaMapper;
import io.twostep.machine.model.ModelMachine;
import java.io.File;
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
            .map(ChildProcess::place)
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
    String[] options = {"-Dguice_custom_class_loading=CHILD", "--enable-native-access=ALL-UNNAMED"};
    return output(tool("java"), Stream.of(options, arguments).flatMap(Stream::of).toArray(String[]::new));
  }
}
