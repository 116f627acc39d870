package io.twostep.guest;

import io.twostep.guest.kit.KitScenarios;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** Runs scenarios on the devices that the guest has bound to VFIO, and says of each what came of it. */
public final class GuestMain {
  /** Begins the names of what only runs when it is asked for: each takes as long as everything else together. */
  private static final String ON_REQUEST = "more tck: ";

  private static final int NVME_CLASS = 0x010802;
  private static final int EDU_VENDOR = 0x1234;

  private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  /** A scenario: returns what is worth telling, or throws what is wrong. */
  @FunctionalInterface
  interface Scenario {
    String run() throws Exception;
  }

  private GuestMain(String file) {
    List<PciFunction> bound = PciInventory.list(HostPaths.USUAL).stream().filter(PciFunction::isBoundToVfio).toList();
    String edu = addresses(bound, f -> f.vendor() == EDU_VENDOR).getFirst();
    List<String> alone = addresses(bound, f -> f.classCode() == NVME_CLASS && f.companions().isEmpty());
    List<String> pair = addresses(bound, f -> f.classCode() == NVME_CLASS && !f.companions().isEmpty());
    String nvme = alone.getFirst();
    scenarios.put("edu: 28 bits, translated", () -> EduScenarios.narrowDeviceReachesWhatIsMapped(edu));
    scenarios.put("edu: 28 bits, registered", () -> EduScenarios.memoryBeyondTheMaskIsRefused(edu));
    scenarios.put("edu: interrupt", () -> EduScenarios.interruptIsDelivered(edu));
    scenarios.put("edu: stray write", () -> EduScenarios.strayWriteIsRefusedAndAttributed(edu));
    scenarios.put("devices", () -> NvmeScenarios.devicesAreListed(nvme));
    scenarios.put("nvme: asks first", () -> NvmeScenarios.writingUnaskedIsRefused(nvme, file));
    scenarios.put("nvme: every stack", () -> NvmeScenarios.fileComesBackByEveryStack(nvme, file));
    scenarios.put("nvme: interrupts", () -> NvmeScenarios.bytesComeBackByInterrupt(nvme));
    scenarios.put("nvme: huge pages", () -> NvmeScenarios.bytesComeBackFromHugePages(nvme));
    scenarios.put("nvme: peer to peer", () -> PeerScenarios.bytesGoThroughTheFirstOnesMemory(nvme, alone.get(1)));
    scenarios.put("nvme: peer to peer, unknown host bridge", () -> PeerScenarios.anUnknownHostBridgeIsRefusedByName(nvme, alone.get(1)));
    scenarios.put("group: not viable until all is bound", () -> GroupScenarios.groupIsUsableOnceAllOfItIsBound(pair));
    scenarios.put("group: both in one address space", () -> GroupScenarios.bothShareOneAddressSpace(pair));
    scenarios.put("nvme: killed and started again", () -> NvmeScenarios.killedDriverLeavesACleanDevice(nvme));
    scenarios.put("tck: iommu", () -> KitScenarios.iommu(alone));
    scenarios.put(ON_REQUEST + "swiotlb over iommu, untrusted", () -> KitScenarios.untrusted(alone));
    scenarios.put(ON_REQUEST + "direct", () -> KitScenarios.direct(alone));
    scenarios.put(ON_REQUEST + "swiotlb over direct", () -> KitScenarios.swiotlb(alone));
    scenarios.put("nvme: too little locked memory", () -> NvmeScenarios.tooLittleLockedMemoryIsToldInBytes(nvme));
  }

  private static List<String> addresses(List<PciFunction> functions, Predicate<PciFunction> wanted) {
    return functions.stream().filter(wanted).map(PciFunction::address).toList();
  }

  /**
   * Run; the arguments are a file to store, and a text that the names of the scenarios must have in them, or, with a minus before it, must not; empty for all that are not {@link #ON_REQUEST}. The last line
   * is {@code guest: done} or {@code guest: FAILED}.
   */
  public static void main(String[] arguments) {
    if (NvmeScenarios.runAsChild(arguments)) {
      return;
    }
    int failures = new GuestMain(arguments[0]).run(arguments[1]);
    System.out.println(failures == 0 ? "guest: done" : "guest: FAILED " + failures);
    System.exit(failures == 0 ? 0 : 1);
  }

  /** Run and return how many failed; a text that no name has in it is a failure. */
  private int run(String text) {
    List<Map.Entry<String, Scenario>> chosen = scenarios.entrySet().stream().filter(each -> isChosen(each.getKey(), text)).toList();
    if (chosen.isEmpty()) {
      System.out.println("guest: no scenario has '" + text + "' in its name; there are " + scenarios.keySet());
      return 1;
    }
    int failures = 0;
    for (Map.Entry<String, Scenario> each : chosen) {
      failures += run(each.getKey(), each.getValue()) ? 0 : 1;
    }
    return failures;
  }

  private static boolean isChosen(String name, String text) {
    if (text.isEmpty()) {
      return !name.startsWith(ON_REQUEST);
    }
    return text.startsWith("-") ? !name.contains(text.substring(1)) : name.contains(text);
  }

  private static boolean run(String name, Scenario scenario) {
    long start = System.nanoTime();
    boolean passed = true;
    String said;
    try {
      said = "ok " + name + ": " + scenario.run();
    } catch (Exception | LinkageError | AssertionError e) {
      passed = false;
      said = "FAILED " + name + ": " + e;
      e.printStackTrace(System.out);
    }
    System.out.println("guest: " + (System.nanoTime() - start) / 1_000_000 + " ms " + said);
    return passed;
  }
}
