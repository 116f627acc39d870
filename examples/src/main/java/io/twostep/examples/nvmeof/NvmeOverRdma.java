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
  /** Commands that the initiator has under way, and that the target has room for. */
  private static final int LANES = 4;

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
    if (!results.stream().allMatch(TargetResult::verified)) {
      throw new IllegalStateException("bytes were lost");
    }
  }

  private static List<String> report(List<TargetResult> results) {
    TextTable table = new TextTable("").heading("tree", "reached", "came back", "commands", "in flight", "data", "peer to peer", "by host bridge", "by host memory", "all to host memory");
    for (TargetResult result : results) {
      table.row(
          result.tree().text(),
          result.mapType(),
          result.verified() ? "yes" : "NO",
          number(result.commands()),
          number(result.inFlight()),
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
        NvmeTarget target = new NvmeTarget(tree, Math.max(1, blocks), LANES, wire, 1)) {
      near.connect(target.host());
      target.host().connect(near);
      try (NvmeInitiator initiator = new NvmeInitiator(near, LANES)) {
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
            target.mostInFlight(),
            2 * blocks * NvmeTarget.BLOCK,
            peer.direct() - peerBefore.direct(),
            peer.bridged() - peerBefore.bridged(),
            target.hostDataBytes(),
            target.hostBytes() - hostBefore);
      }
    }
  }

  /** Store bytes, as many commands at once as there are lanes; returns how many commands that took. */
  private static int store(byte[] bytes, NvmeInitiator initiator, NvmeTarget target) {
    Pieces pieces = new Pieces(bytes.length);
    for (int i = 0; i < pieces.count() + LANES; i++) {
      int lane = i % LANES;
      if (i >= LANES && i - LANES < pieces.count()) {
        requireDone(initiator, lane, target);
      }
      if (i < pieces.count()) {
        initiator.data(lane).fill((byte) 0);
        MemorySegment.copy(bytes, pieces.at(i), initiator.data(lane), ValueLayout.JAVA_BYTE, 0, pieces.length(i));
        initiator.begin(lane, CommandCapsule.WRITE, pieces.at(i) / NvmeTarget.BLOCK, blocks(pieces.length(i)));
      }
    }
    return pieces.count();
  }

  private static boolean comesBack(byte[] bytes, NvmeInitiator initiator, NvmeTarget target) {
    Pieces pieces = new Pieces(bytes.length);
    boolean same = true;
    for (int i = 0; i < pieces.count() + LANES; i++) {
      int lane = i % LANES;
      int done = i - LANES;
      if (done >= 0 && done < pieces.count()) {
        requireDone(initiator, lane, target);
        MemorySegment expected = MemorySegment.ofArray(bytes).asSlice(pieces.at(done), pieces.length(done));
        same &= initiator.data(lane).asSlice(0, pieces.length(done)).mismatch(expected) == -1;
      }
      if (i < pieces.count()) {
        initiator.data(lane).fill((byte) 0);
        initiator.begin(lane, CommandCapsule.READ, pieces.at(i) / NvmeTarget.BLOCK, blocks(pieces.length(i)));
      }
    }
    return same;
  }

  /** A file in pieces of a command each. */
  private record Pieces(int bytes) {
    int count() {
      return (bytes + NvmeTarget.MOST - 1) / NvmeTarget.MOST;
    }

    int at(int piece) {
      return piece * NvmeTarget.MOST;
    }

    int length(int piece) {
      return Math.min(NvmeTarget.MOST, bytes - at(piece));
    }
  }

  private static int blocks(int length) {
    return (length + NvmeTarget.BLOCK - 1) / NvmeTarget.BLOCK;
  }

  private static void requireDone(NvmeInitiator initiator, int lane, NvmeTarget target) {
    initiator.await(lane, target);
    if (initiator.status(lane) != 0) {
      throw new IllegalStateException("the target ended a command with status 0x" + Integer.toHexString(initiator.status(lane)));
    }
  }
}
