package io.twostep.guest.figures;

import io.twostep.machine.linux.DriverBinding;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** Random reads by the kernel's own driver, which fio asks for in one of the ways that programs have. */
enum KernelReads {
  PSYNC("fio psync", "interrupt", 1, "--ioengine=psync"),
  PVSYNC2_POLLED("fio pvsync2 hipri", "polled", 1, "--ioengine=pvsync2 --hipri"),
  URING("fio io_uring", "interrupt", 1, "--ioengine=io_uring"),
  URING_POLLED("fio io_uring hipri", "polled", 1, "--ioengine=io_uring --hipri"),
  URING_32("fio io_uring", "interrupt", 32, "--ioengine=io_uring"),
  URING_POLLED_32("fio io_uring hipri", "polled", 32, "--ioengine=io_uring --hipri");

  /** Where reads per second stand in a line of fio's terse format, version 3. */
  private static final int IOPS = 7;

  private static final long PATIENCE_NANOS = 60_000_000_000L;

  private final String how;
  private final String completion;
  private final int depth;
  private final String arguments;

  KernelReads(String how, String completion, int depth, String arguments) {
    this.how = how;
    this.completion = completion;
    this.depth = depth;
    this.arguments = arguments;
  }

  List<String> labels() {
    return List.of("kernel", how, completion, String.valueOf(depth));
  }

  /** Give a controller to the kernel's driver, and return its block device. */
  static Path bind(String address) {
    DriverBinding.toKernel(HostPaths.USUAL, function(address)).apply();
    long end = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      Path device = Path.of("/dev", namespace(address));
      if (!device.equals(Path.of("/dev")) && Files.exists(device)) {
        return device;
      }
      if (System.nanoTime() - end > 0) {
        throw new IllegalStateException(address + ": the kernel's driver made no block device of it within 60 s");
      }
      LockSupport.parkNanos(10_000_000);
    }
  }

  private static String namespace(String address) {
    try (Stream<Path> blocks = Files.list(Path.of("/sys/class/block"))) {
      Path function = HostPaths.USUAL.function(address).toRealPath();
      for (Path block : blocks.toList()) {
        if (block.toRealPath().startsWith(function)) {
          return block.getFileName().toString();
        }
      }
      return "";
    } catch (IOException e) {
      return "";
    }
  }

  /** Take a controller from the kernel's driver, for VFIO. */
  static void unbind(String address) {
    DriverBinding.toVfio(HostPaths.USUAL, function(address)).apply();
  }

  private static PciFunction function(String address) {
    return PciInventory.find(HostPaths.USUAL, address).orElseThrow();
  }

  /** Read for some seconds and return reads per second. */
  double run(Path device, int seconds) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("fio", "--name=reads", "--filename=" + device, "--readonly", "--rw=randread", "--bs=4k", "--direct=1", "--norandommap"));
    command.addAll(List.of("--iodepth=" + depth, "--time_based", "--runtime=" + seconds, "--ramp_time=1", "--thread", "--minimal", "--terse-version=3"));
    command.addAll(List.of(arguments.split(" ", -1)));
    Process fio = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String said = new String(fio.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String[] fields = said.lines().filter(line -> line.startsWith("3;")).findFirst().orElse("").split(";", -1);
    if (!fio.waitFor(60, TimeUnit.SECONDS) || fio.exitValue() != 0 || fields.length <= IOPS || Double.parseDouble(fields[IOPS]) == 0) {
      throw new IllegalStateException(String.join(" ", command) + ": " + said);
    }
    return Double.parseDouble(fields[IOPS]);
  }
}
