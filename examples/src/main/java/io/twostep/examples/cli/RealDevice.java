package io.twostep.examples.cli;

import io.twostep.examples.nvme.NvmeWorkload;
import io.twostep.examples.nvme.RealNamespace;
import io.twostep.examples.nvme.StackChoice;
import io.twostep.examples.nvme.Stacks;
import io.twostep.machine.linux.DeviceReadiness;
import io.twostep.machine.linux.DeviceUse;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What must hold before anything is written to a device of this computer. */
final class RealDevice {
  private RealDevice() {}

  /** Return the stacks to try: one that was named, or all. */
  static List<StackChoice> stacks(@Nullable String backends, String flush, String granule) {
    if (!flush.isEmpty() || !granule.isEmpty()) {
      throw new BadInput("--flush and --granule are for an IOMMU that is modelled; this computer's kernel decides both; leave them out");
    }
    return backends == null
        ? Stacks.ofThisComputer()
        : List.of(Stacks.onThisComputer(Arrays.stream(backends.split(",", -1)).map(String::strip).toList()));
  }

  /** Refuse a device that is in use or cannot be used, and any write that was not asked for, naming what would be lost. */
  static void requireConsent(NvmeWorkload work, StackChoice stack, boolean destroy) {
    HostPaths paths = HostPaths.USUAL;
    PciFunction function =
        PciInventory.find(paths, work.device())
            .orElseThrow(() -> new BadInput("--device is '" + work.device() + "'; this computer has no such PCI function; see 'twostep devices'"));
    List<String> uses = DeviceUse.of(paths, function);
    if (!uses.isEmpty()) {
      throw new BadInput(work.device() + " is in use: " + String.join("; ", uses) + "; nothing was done");
    }
    List<String> missing = DeviceReadiness.missing(paths, function);
    if (!missing.isEmpty()) {
      throw new BadInput(work.device() + " cannot be used: " + String.join("; ", missing));
    }
    RealNamespace there = RealNamespace.look(work, stack);
    long bytes = size(work);
    if (there.blockSize() != NvmeWorkload.BLOCK || there.size() < bytes) {
      throw new BadInput(
          "%s: its namespace has %d bytes in blocks of %d; %d bytes in blocks of %d are needed"
              .formatted(work.device(), there.size(), there.blockSize(), bytes, NvmeWorkload.BLOCK));
    }
    if (!destroy) {
      throw new BadInput(
          "would overwrite the first %d of %d bytes of %s (%s), which begin with %s; nothing was written; say --yes-destroy-data to go on"
              .formatted(bytes, there.size(), work.device(), there.controller(), there.content()));
    }
  }

  private static long size(NvmeWorkload work) {
    try {
      return Math.max(NvmeWorkload.BLOCK, (Files.size(work.file()) + NvmeWorkload.BLOCK - 1) / NvmeWorkload.BLOCK * NvmeWorkload.BLOCK);
    } catch (IOException e) {
      throw new UncheckedIOException("looking at " + work.file() + " failed", e);
    }
  }
}
