package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.rdma.Hca;
import io.twostep.device.vfio.MigratableDevice;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.model.ModelMachine;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A module that provides services says so twice, for the module path and for the class path, and both say the same. */
class ProvidersAgreeTest {
  @ParameterizedTest
  @ValueSource(classes = {DebugBackend.class, DirectBackend.class, IommuBackend.class, P2pBackend.class, SwiotlbBackend.class, LinuxMachine.class, ModelMachine.class, NvmeController.class, Hca.class, MigratableDevice.class, Twostep.class})
  void descriptorAndServiceFilesNameTheSameProviders(Class<?> member) throws Exception {
    assumeTrue(Twostep.class.getModule().isNamed(), "only a build that runs tests on the module path has descriptors");
    Path place = Path.of(member.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (Files.isDirectory(place)) {
      compare(place);
    } else {
      try (FileSystem jar = FileSystems.newFileSystem(URI.create("jar:" + place.toUri()), Map.of())) {
        compare(jar.getPath("/"));
      }
    }
  }

  private static void compare(Path root) throws IOException {
    Map<String, Set<String>> declared = new TreeMap<>();
    try (InputStream in = Files.newInputStream(root.resolve("module-info.class"))) {
      ModuleDescriptor.read(in).provides().forEach(p -> declared.put(p.service(), new TreeSet<>(p.providers())));
    }
    Map<String, Set<String>> listed = new TreeMap<>();
    try (Stream<Path> files = Files.list(root.resolve("META-INF/services"))) {
      for (Path file : files.toList()) {
        String text = Files.readString(file, StandardCharsets.UTF_8);
        listed.put(file.getFileName().toString(), new TreeSet<>(Arrays.stream(text.split("\\R")).filter(line -> !line.isBlank()).toList()));
      }
    }
    assertThat(listed).isNotEmpty().isEqualTo(declared);
  }
}
