package io.twostep.guest.figures;

import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measures in rounds: every case once in each, the kernel's driver and ours in turns on the same controller, so that what disturbs one disturbs the other. The first round warms up and is not counted.
 */
public final class FiguresMain {
  private static final int NVME_CLASS = 0x010802;
  private static final Path CLOCK_SOURCE = Path.of("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  private static final int ROUNDS = 3;
  private static final int SECONDS = 3;
  private static final int[] LENGTHS = {4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20};

  /** A case that bouncing refuses: longer than a request may be in its pool. */
  private static final int LONGEST_BOUNCED = 128 << 10;

  private final String address;
  private final Map<List<String>, List<Double>> reads = new LinkedHashMap<>();
  private final Map<List<String>, List<Double>> costs = new LinkedHashMap<>();

  private FiguresMain(String address) {
    this.address = address;
  }

  /** Measure on the first controller that is bound to VFIO; the argument is the file for the figures as JSON. The last line is {@code guest: done}. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    String address =
        PciInventory.list(HostPaths.USUAL).stream()
            .filter(f -> f.isBoundToVfio() && f.classCode() == NVME_CLASS && f.companions().isEmpty())
            .map(PciFunction::address)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no NVMe controller is bound to vfio-pci"));
    FiguresMain figures = new FiguresMain(address);
    figures.measure();
    figures.tell(Path.of(arguments[0]));
    System.out.println("guest: done");
  }

  private void measure() throws IOException, InterruptedException {
    List<DriverReads> ours = new ArrayList<>();
    for (boolean registered : new boolean[] {true, false}) {
      for (String completion : List.of("interrupt", "polled")) {
        ours.add(new DriverReads(registered, completion, 1));
        ours.add(new DriverReads(registered, completion, 32));
      }
    }
    for (int round = 0; round <= ROUNDS; round++) {
      Path device = KernelReads.bind(address);
      for (KernelReads kernel : KernelReads.values()) {
        note(reads, kernel.labels(), kernel.run(device, SECONDS), round);
      }
      KernelReads.unbind(address);
      for (DriverReads driver : ours) {
        note(reads, driver.labels(), driver.run(address, SECONDS), round);
      }
      for (MapCosts cost : MapCosts.values()) {
        for (int length : LENGTHS) {
          if (cost != MapCosts.BOUNCED || length <= LONGEST_BOUNCED) {
            note(costs, cost.labels(length), cost.run(address, length, 1), round);
          }
        }
      }
    }
  }

  private static void note(Map<List<String>, List<Double>> where, List<String> labels, double value, int round) {
    System.out.println("round " + round + " " + labels + " " + value);
    if (round != 0) {
      where.computeIfAbsent(labels, l -> new ArrayList<>()).add(value);
    }
  }

  private void tell(Path file) throws IOException {
    Table readTable = new Table("4 KiB random reads of one controller", "reads/s", List.of("driver", "how", "completion", "depth"));
    reads.forEach((labels, values) -> readTable.add(new Series(labels, values)));
    Table costTable = new Table("map and unmap a request that the device overwrites", "ns", List.of("how", "request"));
    costs.forEach((labels, values) -> costTable.add(new Series(labels, values)));
    System.out.println("guest: clock source " + Files.readString(CLOCK_SOURCE).strip());
    readTable.lines().forEach(line -> System.out.println("guest: " + line));
    costTable.lines().forEach(line -> System.out.println("guest: " + line));
    Files.writeString(file, "{\"command\":\"guest-test\",\"rounds\":" + ROUNDS + ",\"reads\":" + readTable.json() + ",\"mapping\":" + costTable.json() + "}\n");
  }
}
