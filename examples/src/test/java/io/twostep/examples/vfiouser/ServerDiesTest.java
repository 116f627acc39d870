package io.twostep.examples.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeException;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import io.twostep.platform.Platform;
import io.twostep.platform.PlatformException;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server in another process, killed while it works for us. */
@Timeout(600)
class ServerDiesTest {
  private static final String DEVICE = VfioUserMachine.DEVICE.text();

  @TempDir Path folder;

  @Test
  void serverKilledInTheMiddleOfRequestsIsSaidAndTheNextOneServesAsIfNothingHadBeen() throws Exception {
    Path socket = folder.resolve("nvme.sock");
    Process first = serve(socket);
    try {
      Platform platform = platform(socket);
      NvmeOverVfioUserTest.exercise(platform);
      platform.close();
      platform = platform(socket);
      NvmeNamespace namespace = platform.open(DEVICE, NvmeController.class).namespaces().getFirst();
      MemoryBlock block = platform.memory().allocate(64 << 10, MemoryPlacement.SCATTERED);
      Process dying = first;
      Thread killer = Thread.ofPlatform().unstarted(dying::destroyForcibly);
      assertThatThrownBy(() -> {
        for (int i = 0; ; i++) {
          if (i == 20) {
            killer.start();
          }
          namespace.write(i % 100 * 128L, block);
        }
      }).isInstanceOfAny(NvmeException.class, DmaMappingException.class);
      killer.join();
      Platform lost = platform;
      assertThatThrownBy(() -> lost.memory().allocate(4096, MemoryPlacement.CONTIGUOUS))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED))
          .hasMessageContaining(DEVICE + " (" + socket + ")")
          .hasMessageContaining("hung up")
          .hasMessageContaining("restart it");
      assertThatThrownBy(lost::close)
          .as("the server may still hold what it did not confirm to have let go of")
          .isInstanceOf(PlatformException.class)
          .hasMessageContaining("QUARANTINED");
      assertThat(memoryFiles()).isZero();

      Process second = serve(socket);
      try {
        Platform again = platform(socket);
        NvmeOverVfioUserTest.exercise(again);
        again.close();
      } finally {
        second.destroyForcibly().waitFor();
      }
    } finally {
      first.destroyForcibly().waitFor();
    }
    assertThat(memoryFiles()).isZero();
  }

  private static long memoryFiles() throws Exception {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("/memfd:")).count();
    }
  }

  private static Platform platform(Path socket) {
    return Platform.builder()
        .machine("vfio-user")
        .set("socket", socket.toString())
        .set("memory", "64M")
        .device(DEVICE, d -> d.backends("iommu"))
        .build();
  }

  private static Process serve(Path socket) throws Exception {
    Process server =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                path(),
                NvmeServer.class.getName(),
                socket.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader out = new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8));
    for (String line = out.readLine(); !"ready".equals(line); line = out.readLine()) {
      assertThat(line).as("the server ended before it listened").isNotNull();
    }
    return server;
  }

  private static String path() throws Exception {
    return Stream.of(NvmeServer.class, VfioUserMachine.class, NvmeController.class, DmaMappingException.class, Class.forName("org.slf4j.Logger"))
        .map(ServerDiesTest::place)
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static String place(Class<?> member) {
    try {
      return Path.of(member.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
