package io.twostep.examples.guest;

import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.util.List;

/** Runs every scenario on the devices that the guest has bound to VFIO, and says of each what came of it. */
public final class GuestMain {
  private static final int NVME_CLASS = 0x010802;
  private static final int EDU_VENDOR = 0x1234;

  private final String file;
  private int failures;

  private GuestMain(String file) {
    this.file = file;
  }

  /** A scenario: returns what is worth telling, or throws what is wrong. */
  @FunctionalInterface
  interface Scenario {
    String run() throws Exception;
  }

  /** Run; the argument is a file to store. The last line is {@code guest: done} or {@code guest: FAILED}. */
  public static void main(String[] arguments) {
    if (NvmeScenarios.runAsChild(arguments)) {
      return;
    }
    GuestMain guest = new GuestMain(arguments[0]);
    guest.runAll();
    System.out.println(guest.failures == 0 ? "guest: done" : "guest: FAILED " + guest.failures);
    System.exit(guest.failures == 0 ? 0 : 1);
  }

  private void runAll() {
    List<PciFunction> bound = PciInventory.list(HostPaths.USUAL).stream().filter(PciFunction::isBoundToVfio).toList();
    String edu = bound.stream().filter(f -> f.vendor() == EDU_VENDOR).map(PciFunction::address).findFirst().orElse("");
    String nvme = bound.stream().filter(f -> f.classCode() == NVME_CLASS).map(PciFunction::address).findFirst().orElse("");
    run("edu: 28 bits, translated", () -> EduScenarios.narrowDeviceReachesWhatIsMapped(edu));
    run("edu: 28 bits, registered", () -> EduScenarios.memoryBeyondTheMaskIsRefused(edu));
    run("edu: interrupt", () -> EduScenarios.interruptIsDelivered(edu));
    run("edu: stray write", () -> EduScenarios.strayWriteIsRefusedAndAttributed(edu));
    run("devices", () -> NvmeScenarios.devicesAreListed(nvme));
    run("nvme: asks first", () -> NvmeScenarios.writingUnaskedIsRefused(nvme, file));
    run("nvme: every stack", () -> NvmeScenarios.fileComesBackByEveryStack(nvme, file));
    run("nvme: interrupts", () -> NvmeScenarios.bytesComeBackByInterrupt(nvme));
    run("nvme: killed and started again", () -> NvmeScenarios.killedDriverLeavesACleanDevice(nvme));
    run("nvme: too little locked memory", () -> NvmeScenarios.tooLittleLockedMemoryIsToldInBytes(nvme));
  }

  private void run(String name, Scenario scenario) {
    long start = System.nanoTime();
    String said;
    try {
      said = "ok " + name + ": " + scenario.run();
    } catch (Exception | LinkageError | AssertionError e) {
      failures++;
      said = "FAILED " + name + ": " + e;
      e.printStackTrace(System.out);
    }
    System.out.println("guest: " + (System.nanoTime() - start) / 1_000_000 + " ms " + said);
  }
}
