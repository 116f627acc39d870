package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.serve.NvmeServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code twostep nvme} on a drive that is served at a socket. */
@Timeout(600)
class NvmeOverSocketTest {
  @TempDir Path folder;
  private NvmeServer server;
  private CompletableFuture<Void> served;
  private Path socket;
  private String file;

  @BeforeEach
  void serve() throws Exception {
    socket = folder.resolve("s");
    byte[] bytes = new byte[70_001];
    new Random(3).nextBytes(bytes);
    file = Files.write(folder.resolve("file"), bytes).toString();
    server = NvmeServer.listen(socket, List.of(), 1 << 20);
    served = CompletableFuture.runAsync(server::serveUntilTold, task -> Thread.ofPlatform().start(task));
  }

  @AfterEach
  void stop() {
    server.close();
    served.join();
  }

  @Test
  void nothingIsWrittenThatWasNotAskedForAndWhatWouldBeLostIsNamed() {
    Run first = Run.of("nvme", file, "--machine", "vfio-user", "--socket", socket.toString());
    assertThat(first.err())
        .contains(
            "would overwrite the first 70144 of 1048576 bytes of the drive served at " + socket + " (Twostep NVMe model, serial TWOSTEP0001), which begin with nothing but zeros",
            "say --yes-destroy-data");
    assertThat(first.status()).isEqualTo(CommandLineMain.BAD_INPUT);

    Run second = Run.of("nvme", file, "--machine", "vfio-user", "--socket", socket.toString(), "--strategy", "two-step", "--json", "--yes-destroy-data");
    assertThat(second.err()).isEmpty();
    assertThat(second.status()).isEqualTo(CommandLineMain.DONE);
    assertThat(second.out())
        .contains("\"command\":\"nvme\"", "\"verified\":true", "\"stack\":\"iommu\"", "\"stack\":\"direct (registered)\"", "\"stack\":\"swiotlb,iommu (untrusted)\"", "\"tableWrites\":null,\"invalidations\":null")
        .doesNotContain("\"verified\":false");

    assertThat(Run.of("nvme", file, "--machine", "vfio-user", "--socket", socket.toString()).err()).contains("which begin with data of an unknown kind");
  }

  @Test
  void whatTheServersHostKeepsIsNotSaidToBeNothing() {
    Run run = Run.of("nvme", file, "--machine", "vfio-user", "--socket", socket.toString(), "--strategy", "two-step", "--yes-destroy-data");
    assertThat(run.out()).containsPattern("iommu +two-step +yes( +[0-9,]+){3} +- +- ").contains("A - stands for what was not counted");
  }

  @Test
  void whatDoesNotGoTogetherIsRefusedInOneLine() {
    String path = socket.toString();
    refused("--machine vfio-user and --socket PATH go together", "--machine", "vfio-user");
    refused("--machine vfio-user and --socket PATH go together", "--socket", path);
    refused("--machine linux and --device ADDRESS go together", "--machine", "vfio-user", "--socket", path, "--device", "0000:00:03.0");
    refused("--seed is for a machine that is modelled", "--machine", "vfio-user", "--socket", path, "--seed", "1");
    refused("--flush and --granule are for an IOMMU that is modelled", "--machine", "vfio-user", "--socket", path, "--flush", "lazy");
    refused("start the server", "--machine", "vfio-user", "--socket", path + "-none");
  }

  private void refused(String said, String... options) {
    String[] arguments = new String[options.length + 2];
    arguments[0] = "nvme";
    arguments[1] = file;
    System.arraycopy(options, 0, arguments, 2, options.length);
    Run run = Run.of(arguments);
    assertThat(run.err()).contains(said).hasLineCount(1);
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
  }
}
