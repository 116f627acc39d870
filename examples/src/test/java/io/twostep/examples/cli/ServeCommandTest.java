package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.NvmeController;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.examples.ChildProcess;
import io.twostep.examples.serve.NvmeServer;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import io.twostep.platform.Platform;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code twostep serve}, in a process of its own. */
@Timeout(600)
class ServeCommandTest {
  @TempDir Path folder;

  @Test
  void whatAClientWroteIsInTheFileAndTheSocketIsGoneOnceTheServerWasToldToEnd() throws Exception {
    Path drive = Files.write(folder.resolve("drive"), new byte[1 << 20]);
    Path socket = folder.resolve("s");
    Process server = ChildProcess.twostep(List.of(), "serve", "nvme", "--socket", socket.toString(), "--file", drive.toString()).start();
    try (BufferedReader out = new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8))) {
      assertThat(out.readLine()).isEqualTo("serving nvme at " + socket + ": " + drive + " (1048576 bytes)");
      byte[] bytes = new byte[4096];
      Arrays.fill(bytes, (byte) 0x5a);
      write(socket, bytes);
      server.toHandle().destroy();
      assertThat(server.waitFor()).as("ended by SIGTERM").isEqualTo(143);
      assertThat(Arrays.copyOfRange(Files.readAllBytes(drive), 8 * 512, 8 * 512 + 4096)).isEqualTo(bytes);
      assertThat(socket).doesNotExist();
      assertThat(out.readLine()).isNull();
    } finally {
      server.destroyForcibly().waitFor();
    }
  }

  @Test
  void aSocketMustHaveAFolderAndBeNone() {
    for (Path socket : new Path[] {folder.resolve("none").resolve("s"), folder}) {
      Run run = Run.of("serve", "nvme", "--socket", socket.toString());
      assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
      assertThat(run.err()).isEqualToIgnoringNewLines("twostep: --socket is " + socket + "; it must name a socket in a folder that is there");
    }
  }

  /** The operating system says of both that the address is in use, and of neither that it is to be removed. */
  @Test
  void aFileInTheSocketsPlaceStaysAndIsNamed() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "text");
    assertRefused("--socket is " + file + ", which is there and is no socket; choose another path", "serve", "nvme", "--socket", file.toString(), "--size", "512");
    assertThat(file).hasContent("text");
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("nowhere"));
    assertRefused("which is there and is no socket", "serve", "nvme", "--socket", link.toString(), "--size", "512");
    assertThat(link).isSymbolicLink();
  }

  /** Two controllers, or two namespaces, would write over each other's blocks. */
  @Test
  void aFileIsServedOnceAtATime() throws Exception {
    Path drive = Files.write(folder.resolve("drive"), new byte[1 << 20]);
    Path link = Files.createSymbolicLink(folder.resolve("link"), drive);
    String socket = folder.resolve("s").toString();
    String second = folder.resolve("t").toString();
    assertRefused(link + " is served already; give each drive a file of its own", "serve", "nvme", "--socket", second, "--file", drive.toString(), "--file", link.toString());
    Process server = ChildProcess.twostep(List.of(), "serve", "nvme", "--socket", socket, "--file", drive.toString()).start();
    try (BufferedReader out = new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8))) {
      assertThat(out.readLine()).startsWith("serving nvme at ");
      assertRefused(drive + " is served already; give each drive a file of its own", "serve", "nvme", "--socket", second, "--file", drive.toString());
      assertThat(Path.of(second)).doesNotExist();
    } finally {
      server.destroyForcibly().waitFor();
    }
    // The lock goes with the process, however that ended.
    NvmeServer.listen(Path.of(second), List.of(drive), 0).close();
    NvmeServer.listen(Path.of(second), List.of(drive), 0).close();
  }

  private static void write(Path socket, byte[] bytes) {
    String device = VfioUserMachine.DEVICE.text();
    try (Platform platform =
            Platform.builder().machine("vfio-user").set("socket", socket.toString()).device(device, d -> d.backends("iommu")).build();
        MemoryBlock block = platform.memory().allocate(bytes.length, MemoryPlacement.SCATTERED)) {
      block.segment().asByteBuffer().put(bytes);
      platform.open(device, NvmeController.class).namespaces().getFirst().write(8, block);
    }
  }

  @Test
  void whatCannotBeServedIsRefusedInOneLine() throws Exception {
    String socket = folder.resolve("s").toString();
    Path odd = Files.write(folder.resolve("odd"), new byte[700]);
    assertRefused("DEVICE is 'nvm'; did you mean 'nvme'?", "serve", "nvm", "--socket", socket);
    assertRefused("does not exist", "serve", "nvme", "--socket", socket, "--file", folder.resolve("none").toString());
    assertRefused("has 700 bytes; a drive is whole blocks of 512 bytes", "serve", "nvme", "--socket", socket, "--file", odd.toString());
    assertRefused("leave one of them out", "serve", "nvme", "--socket", socket, "--size", "1M", "--file", odd.toString());
    assertRefused("multiple of 512", "serve", "nvme", "--socket", socket, "--size", "700");
    assertRefused("Missing required option: '--socket=PATH'", "serve", "nvme");
    assertRefused("1 to 107 bytes", "serve", "nvme", "--socket", folder.resolve("x".repeat(120)).toString());
  }

  private static void assertRefused(String said, String... arguments) {
    Run run = Run.of(arguments);
    assertThat(run.err()).contains(said).hasLineCount(1);
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
  }
}
