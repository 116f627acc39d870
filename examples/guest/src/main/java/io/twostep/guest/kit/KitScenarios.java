package io.twostep.guest.kit;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Runs the conformance kit on this computer's controllers, whose media are overwritten. */
public final class KitScenarios {
  private KitScenarios() {}

  /** Prove backend iommu, with the kernel's translations. */
  public static String iommu(List<String> controllers) throws IOException, InterruptedException {
    return run(OverVfio.Iommu.class, controllers);
  }

  /** Prove backend direct, on memory that is registered once. */
  public static String direct(List<String> controllers) throws IOException, InterruptedException {
    return run(OverVfio.Direct.class, controllers);
  }

  /** Prove layer swiotlb above iommu, for an untrusted device. */
  public static String untrusted(List<String> controllers) throws IOException, InterruptedException {
    return run(OverVfio.Untrusted.class, controllers);
  }

  /** Prove layer swiotlb above direct. */
  public static String swiotlb(List<String> controllers) throws IOException, InterruptedException {
    return run(OverVfio.Swiotlb.class, controllers);
  }

  /**
   * Run one class of the kit in a JVM that compiles what is warm before it goes on: the kit counts heap bytes of warm calls.
   *
   * @return how many rules held, and what could not be asked of this computer
   * @throws IllegalStateException if a rule did not hold
   */
  private static String run(Class<?> kit, List<String> controllers) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                System.getProperty("java.home") + "/bin/java",
                "-XX:-BackgroundCompilation",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                KitMain.class.getName(),
                kit.getName()));
    command.addAll(controllers);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String last = "it said nothing";
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        System.out.println(line);
        last = line;
      }
    }
    if (process.waitFor() != 0) {
      throw new IllegalStateException(last);
    }
    return last;
  }
}
