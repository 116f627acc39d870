package io.twostep.examples.cli;

import io.twostep.examples.nvme.NvmeWorkload;
import io.twostep.examples.nvme.RealNamespace;
import io.twostep.examples.nvme.StackChoice;
import io.twostep.examples.nvme.Stacks;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where the drive is: modelled for the run, in this computer, or behind a socket.
 *
 * @param machine name of the machine
 * @param device address of a controller of this computer, for machine {@code linux} only
 * @param socket path of a server's socket, for machine {@code vfio-user} only
 */
record DriveChoice(String machine, String device, String socket) {
  private static final String THIS_COMPUTER = "linux";
  private static final String SERVED = "vfio-user";

  /** Check that the parts go together. */
  DriveChoice {
    if (device.isEmpty() == machine.equals(THIS_COMPUTER)) {
      throw new BadInput("--machine linux and --device ADDRESS go together; 'twostep devices' lists what there is");
    }
    if (socket.isEmpty() == machine.equals(SERVED)) {
      throw new BadInput("--machine vfio-user and --socket PATH go together; 'twostep serve' makes such a socket");
    }
  }

  /** Tell whether the drive is made for the run, and nobody's loss. */
  boolean isModelled() {
    return device.isEmpty() && socket.isEmpty();
  }

  /** Return the controller's address; empty if it is modelled. */
  String address() {
    return socket.isEmpty() ? device : VfioUserMachine.DEVICE.text();
  }

  /** Return the settings of the machine. */
  Map<String, String> machineSettings(String seed) {
    if (!isModelled() && !seed.isEmpty()) {
      throw new BadInput("--seed is for a machine that is modelled; leave it out");
    }
    return socket.isEmpty() ? Arguments.seed(seed) : Map.of("socket", socket);
  }

  /** Return the stacks to try on a drive that is not modelled: one that was named, or all. */
  List<StackChoice> stacks(@Nullable String backends, String flush, String granule) {
    if (!flush.isEmpty() || !granule.isEmpty()) {
      throw new BadInput("--flush and --granule are for an IOMMU that is modelled; who maps for this drive decides both; leave them out");
    }
    return backends == null
        ? Stacks.ofThisComputer()
        : List.of(Stacks.onThisComputer(Arguments.words(backends)));
  }

  /** Refuse a drive that is in use or cannot be used, and any write that was not asked for, naming what would be lost. */
  void requireConsent(NvmeWorkload work, StackChoice stack, boolean destroy) {
    if (!device.isEmpty()) {
      RealDevice.requireUsable(device);
    }
    String name = socket.isEmpty() ? device : "the drive served at " + socket;
    RealNamespace there = RealNamespace.look(work, stack);
    long bytes = size(work);
    if (there.blockSize() != NvmeWorkload.BLOCK || there.size() < bytes) {
      throw new BadInput(
          "%s: its namespace has %d bytes in blocks of %d; %d bytes in blocks of %d are needed"
              .formatted(name, there.size(), there.blockSize(), bytes, NvmeWorkload.BLOCK));
    }
    if (!destroy) {
      throw new BadInput(
          "would overwrite the first %d of %d bytes of %s (%s), which begin with %s; nothing was written; say --yes-destroy-data to go on"
              .formatted(bytes, there.size(), name, there.controller(), there.content()));
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
