package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.rdma.QueuePair;
import io.twostep.dma.DmaMapper;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import io.twostep.machine.model.ModelMachine;
import io.twostep.platform.Platform;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;

/** What tests of a JVM of its own need: programs of this JDK, and where classes lie. */
public final class ChildProcess {
  private ChildProcess() {}

  /** Return a program of the JDK that runs the test. */
  public static String tool(String name) {
    return Path.of(System.getProperty("java.home"), "bin", name).toString();
  }

  /** Run a program, and return what it printed and its exit status. */
  public static Ended run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Ended(process.waitFor(), output);
  }

  /** Run a program that must succeed, and return what it printed. */
  public static String output(String program, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(program));
    command.addAll(List.of(arguments));
    Ended ended = run(command);
    assertThat(ended.status()).as("%s: %s", command, ended.output()).isZero();
    return ended.output();
  }

  /** Return the command line in a JVM of its own, with these options of Java's, ready to be started; what it says on the error output is the test's. */
  public static ProcessBuilder twostep(List<String> options, String... arguments) throws ClassNotFoundException {
    String places =
        Stream.of(
                Twostep.class, DmaMapper.class, DirectBackend.class, IommuBackend.class, SwiotlbBackend.class, NvmeController.class, QueuePair.class, ModelMachine.class, VfioUserMachine.class,
                Platform.class, CommandLine.class, Class.forName("org.slf4j.Logger"))
            .map(ChildProcess::place)
            .distinct()
            .collect(Collectors.joining(File.pathSeparator));
    List<String> command = new ArrayList<>(List.of(tool("java"), "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(options);
    command.addAll(List.of("-cp", places, Twostep.class.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
  }

  /** Return the jar or folder that a class was loaded from. */
  public static String place(Class<?> member) {
    try {
      return Path.of(member.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** How a program ended: its exit status, and what it printed. */
  public record Ended(int status, String output) {}
}
