package io.twostep.guest;

import static io.twostep.guest.EduScenarios.require;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.examples.cli.CommandLineMain;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The NVMe driver on controllers of the guest. */
final class NvmeScenarios {
  private static final int LENGTH = 128 << 10;
  private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB");
  private static final String LIMITED = "memlock";
  private static final String WRITER = "writer";
  private static final String WRITING = "writing";

  private NvmeScenarios() {}

  /** Have the command line refuse to write unasked, naming what would be lost. */
  static String writingUnaskedIsRefused(String address, String file) {
    Said said = twostep("nvme", file, "--machine", "linux", "--device", address);
    require(said.status == CommandLineMain.BAD_INPUT && said.err.contains("would overwrite the first") && said.err.contains(address), said.toString());
    return said.err.strip();
  }

  /** Store a file and read it back by every stack. */
  static String fileComesBackByEveryStack(String address, String file) {
    Said said = twostep("nvme", file, "--machine", "linux", "--device", address, "--yes-destroy-data", "--strategy", "two-step", "--json");
    require(said.status == CommandLineMain.DONE && said.out.contains("\"verified\":true") && !said.out.contains("\"verified\":false"), said.toString());
    return said.out.strip();
  }

  /** List devices, both controllers usable. */
  static String devicesAreListed(String address) {
    Said said = twostep("devices", "--json");
    require(said.status == CommandLineMain.DONE && said.out.contains("\"address\":\"" + address + "\"") && said.out.contains("\"usable\":true"), said.toString());
    return said.out.length() + " characters of JSON";
  }

  /** Write, wait for interrupts and read back. */
  static String bytesComeBackByInterrupt(String address) {
    return roundTrip(address, "interrupt", 7);
  }

  /** Kill a process in the middle of its writes; the next one starts clean. */
  static String killedDriverLeavesACleanDevice(String address) throws IOException, InterruptedException {
    Process writer = child(List.of(), WRITER, address);
    try (BufferedReader lines = writer.inputReader(StandardCharsets.UTF_8)) {
      String line = lines.readLine();
      while (line != null && !line.equals(WRITING)) {
        line = lines.readLine();
      }
      require(line != null, "the writer ended before it wrote");
      writer.destroyForcibly();
    }
    require(writer.waitFor(60, TimeUnit.SECONDS), "the writer does not die");
    require(writer.exitValue() == 128 + 9, "the writer was not killed, it ended with " + writer.exitValue());
    return roundTrip(address, "polled", 9);
  }

  /** Write without end; whoever waits for the first line kills this process. */
  static void write(String address) {
    try (LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(16 << 20));
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        NvmeController controller = open(machine, iommu, address, "polled");
        MemoryBlock block = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED)) {
      NvmeNamespace namespace = controller.namespace(1);
      for (long round = 0; ; round++) {
        CompletableFuture<NvmeBio> first = namespace.writeAsync(round % 64 * 256, 256, block.ranges());
        namespace.write(16384, block);
        first.join().check();
        if (round == 2) {
          System.out.println(WRITING);
          System.out.flush();
        }
      }
    }
  }

  /** Have a process that may not pin enough told how much it needs and has. */
  static String tooLittleLockedMemoryIsToldInBytes(String address) throws IOException, InterruptedException {
    List<String> limited =
        List.of("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "bash", "-c", "ulimit -l 1024; exec \"$@\"", "limited");
    Process child = child(limited, LIMITED, address);
    String said;
    try (var lines = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
      said = String.join("; ", lines.lines().toList());
    }
    require(child.waitFor(120, TimeUnit.SECONDS) && child.exitValue() == 0, "the limited process ended with " + child.exitValue() + ": " + said);
    return said;
  }

  /** Ask for more than may be pinned, at once and by the request. */
  static void pinTooMuch(String address) {
    LinuxMachineConfig config = LinuxMachineConfig.DEFAULT.withMemory(8 << 20);
    try (LinuxMachine machine = LinuxMachine.open(config.withAddressing(Addressing.REGISTERED))) {
      System.out.println(refusal(() -> machine.slot(new DeviceAddress(address))));
    }
    try (LinuxMachine machine = LinuxMachine.open(config)) {
      var slot = machine.slot(new DeviceAddress(address));
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      long phys = machine.memory().highestAddress() + 1 - (8 << 20);
      System.out.println(refusal(() -> iommu.map(1 << 20, phys, 8 << 20, MapFlags.DEVICE_READS)));
    }
  }

  private static String refusal(Runnable call) {
    try {
      call.run();
    } catch (DmaMappingException e) {
      String said = String.valueOf(e.getMessage());
      require(e.reason() == Reason.PIN_LIMIT && said.contains("8388608 bytes more are needed") && said.contains("1048576 are allowed"), e.toString());
      return said;
    }
    throw new IllegalStateException("8 MiB were pinned where 1 MiB is allowed");
  }

  /** Set huge pages aside, and register memory that is made of them. */
  static String bytesComeBackFromHugePages(String address) throws IOException {
    Files.writeString(HUGE_PAGES.resolve("nr_hugepages"), "16\n");
    LinuxMachineConfig config = LinuxMachineConfig.DEFAULT.withMemory(32 << 20).withPageSize(2 << 20).withAddressing(Addressing.REGISTERED);
    String moved;
    try (LinuxMachine machine = LinuxMachine.open(config);
        DirectBackend direct = new DirectBackend()) {
      moved = roundTrip(machine, direct, address, "polled", 21);
      require(freeHugePages() == 0, freeHugePages() + " of 16 huge pages are free while all of them are registered");
    }
    require(freeHugePages() == 16, freeHugePages() + " of 16 huge pages were given back");
    return "16 pages of 2 MiB, " + moved;
  }

  private static int freeHugePages() throws IOException {
    return Integer.parseInt(Files.readString(HUGE_PAGES.resolve("free_hugepages")).strip());
  }

  private static String roundTrip(String address, String completion, long seed) {
    try (LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(16 << 20));
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults())) {
      return roundTrip(machine, iommu, address, completion, seed);
    }
  }

  private static String roundTrip(LinuxMachine machine, TerminalBackend backend, String address, String completion, long seed) {
    byte[] bytes = new byte[LENGTH];
    new Random(seed).nextBytes(bytes);
    try (NvmeController controller = open(machine, backend, address, completion);
        MemoryBlock from = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED);
        MemoryBlock to = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED)) {
      from.segment().copyFrom(MemorySegment.ofArray(bytes));
      controller.namespace(1).write(8, from);
      controller.namespace(1).read(8, to);
      require(Arrays.equals(to.segment().toArray(ValueLayout.JAVA_BYTE), bytes), "other bytes came back");
      return LENGTH + " bytes, " + completion + ", " + controller.model();
    }
  }

  private static NvmeController open(LinuxMachine machine, TerminalBackend backend, String address, String completion) {
    Settings settings = Settings.of(new NvmeDriverPlugin(), Map.of("completion", completion));
    return NvmeController.open(DriverContext.of(machine, machine.slot(new DeviceAddress(address)), DmaStack.of(backend), settings));
  }

  /** Start this program again with other arguments. */
  private static Process child(List<String> before, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(before);
    command.addAll(
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            GuestMain.class.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Run as a child that a scenario started; returns whether it was one. */
  static boolean runAsChild(String[] arguments) {
    switch (arguments[0]) {
      case WRITER -> write(arguments[1]);
      case LIMITED -> pinTooMuch(arguments[1]);
      default -> {
        return false;
      }
    }
    return true;
  }

  private record Said(int status, String out, String err) {}

  private static Said twostep(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int status =
        CommandLineMain.run(new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8), arguments);
    return new Said(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
