package io.twostep.machine.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A change of a function's driver: first said, then done.
 *
 * @param function the function
 * @param steps what is written where, in order
 */
public record DriverBinding(PciFunction function, List<Step> steps) {
  /** Copy the list. */
  public DriverBinding {
    steps = List.copyOf(steps);
  }

  /**
   * One write.
   *
   * @param file where to
   * @param text what
   * @param meaning what that does
   */
  public record Step(Path file, String text, String meaning) {
    @Override
    public String toString() {
      return "write '" + text.strip() + "' to " + file + ": " + meaning;
    }
  }

  /**
   * Plan to give a function to VFIO.
   *
   * @throws IllegalStateException if that would take something away that is used, naming it, or nobody can tell
   */
  public static DriverBinding toVfio(HostPaths paths, PciFunction function) {
    DeviceUse use = DeviceUse.of(paths, function);
    if (!use.isNone()) {
      throw new IllegalStateException(function.address() + " " + use + "; end that first");
    }
    if (function.isBridge()) {
      throw new IllegalStateException(function.address() + " is a bridge: it stays with the kernel");
    }
    List<Step> steps = new ArrayList<>();
    if (function.isBoundToVfio()) {
      return new DriverBinding(function, steps);
    }
    steps.add(override(paths, function, PciFunction.VFIO_DRIVER));
    unbind(paths, function, steps);
    steps.add(probe(paths, function));
    return new DriverBinding(function, steps);
  }

  /** Plan to give a function back to the driver that the kernel has for it. */
  public static DriverBinding toKernel(HostPaths paths, PciFunction function) {
    List<Step> steps = new ArrayList<>();
    steps.add(override(paths, function, "\n"));
    if (function.isBoundToVfio()) {
      unbind(paths, function, steps);
    }
    steps.add(probe(paths, function));
    return new DriverBinding(function, steps);
  }

  private static Step override(HostPaths paths, PciFunction function, String driver) {
    String meaning = driver.isBlank() ? "let any driver take the function" : "let only " + driver + " take the function";
    return new Step(paths.function(function.address()).resolve("driver_override"), driver, meaning);
  }

  private static void unbind(HostPaths paths, PciFunction function, List<Step> steps) {
    if (!function.driver().isEmpty()) {
      steps.add(
          new Step(
              paths.sys().resolve("bus/pci/drivers").resolve(function.driver()).resolve("unbind"),
              function.address(),
              "take the function from " + function.driver() + ", and with it everything that the driver made of it"));
    }
  }

  private static Step probe(HostPaths paths, PciFunction function) {
    return new Step(paths.sys().resolve("bus/pci/drivers_probe"), function.address(), "look for a driver again");
  }

  /**
   * Do it.
   *
   * @throws UncheckedIOException naming the step that failed; those before it are done
   */
  public void apply() {
    for (Step step : steps) {
      try {
        Files.writeString(step.file, step.text, StandardOpenOption.WRITE);
      } catch (IOException e) {
        throw new UncheckedIOException("could not " + step + "; run as root, with vfio-pci loaded (modprobe vfio-pci)", e);
      }
    }
  }
}
