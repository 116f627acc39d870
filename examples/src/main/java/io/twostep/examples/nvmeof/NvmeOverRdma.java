package io.twostep.examples.nvmeof;

import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.examples.cli.TextTable;
import io.twostep.examples.fabric.RdmaHost;
import io.twostep.machine.model.PeerBytes;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Store a file on an NVMe controller of another modelled host and read it back, by commands that arrive by RDMA: on each tree the data takes the shortest way that there is between adapter and
 * controller, and counters tell which.
 */
public final class NvmeOverRdma {
  private NvmeOverRdma() {}

  /**
   * Do so on every tree, and print what the devices moved.
   *
   * @param arguments a file
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("give one file to store and read back");
    }
    byte[] file = Files.readAllBytes(Path.of(arguments[0]));
    List<TargetResult> results = new ArrayList<>();
    for (TargetTree tree : TargetTree.values()) {
      results.add(run(file, tree, WireFaults.NONE));
    }
    report(results).forEach(System.out::println);
  }

  private static List<String> report(List<TargetResult> results) {
    TextTable table = new TextTable("").heading("tree", "reached", "came back", "commands", "data", "peer to peer", "by host bridge", "by host memory", "all to host memory");
    for (TargetResult result : results) {
      table.row(
          result.tree().text(),
          result.mapType(),
          result.verified() ? "yes" : "NO",
          number(result.commands()),
          number(result.dataBytes()),
          number(result.directBytes()),
          number(result.bridgedBytes()),
          number(result.hostDataBytes()),
          number(result.hostBytes()));
    }
    List<String> lines = new ArrayList<>(table.lines());
    results.forEach(result -> lines.add(result.tree().text() + ": " + result.reason()));
    return lines;
  }

  private static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  /** Store bytes on a target and read them back. */
  static TargetResult run(byte[] bytes, TargetTree tree, WireFaults faults) {
    long blocks = blocks(bytes.length);
    Wire wire = new Wire(faults, 1);
    try (RdmaHost near = RdmaHost.simple(wire, 0);
        NvmeTarget target = new NvmeTarget(tree, Math.max(1, blocks), wire, 1)) {
      near.connect(target.host());
      target.host().connect(near);
      try (NvmeInitiator initiator = new NvmeInitiator(near)) {
        PeerBytes peerBefore = target.peerBytes();
        long hostBefore = target.hostBytes();
        int commands = store(bytes, initiator, target);
        boolean verified = comesBack(bytes, initiator, target);
        PeerBytes peer = target.peerBytes();
        return new TargetResult(
            tree,
            target.path().type().name(),
            target.path().reason(),
            verified,
            2 * commands,
            2 * blocks * NvmeTarget.BLOCK,
            peer.direct() - peerBefore.direct(),
            peer.bridged() - peerBefore.bridged(),
            target.hostDataBytes(),
            target.hostBytes() - hostBefore);
      }
    }
  }

  private static int store(byte[] bytes, NvmeInitiator initiator, NvmeTarget target) {
    int commands = 0;
    for (int at = 0; at < bytes.length; at += NvmeTarget.MOST) {
      int length = Math.min(NvmeTarget.MOST, bytes.length - at);
      initiator.data().fill((byte) 0);
      MemorySegment.copy(bytes, at, initiator.data(), ValueLayout.JAVA_BYTE, 0, length);
      requireDone(initiator.run(CommandCapsule.WRITE, at / NvmeTarget.BLOCK, blocks(length), target::serve));
      commands++;
    }
    return commands;
  }

  private static boolean comesBack(byte[] bytes, NvmeInitiator initiator, NvmeTarget target) {
    boolean same = true;
    for (int at = 0; at < bytes.length; at += NvmeTarget.MOST) {
      int length = Math.min(NvmeTarget.MOST, bytes.length - at);
      initiator.data().fill((byte) 0);
      requireDone(initiator.run(CommandCapsule.READ, at / NvmeTarget.BLOCK, blocks(length), target::serve));
      same &= initiator.data().asSlice(0, length).mismatch(MemorySegment.ofArray(bytes).asSlice(at, length)) == -1;
    }
    return same;
  }

  private static int blocks(int length) {
    return (length + NvmeTarget.BLOCK - 1) / NvmeTarget.BLOCK;
  }

  private static void requireDone(int status) {
    if (status != 0) {
      throw new IllegalStateException("the controller ended a command with status 0x" + Integer.toHexString(status));
    }
  }
}
