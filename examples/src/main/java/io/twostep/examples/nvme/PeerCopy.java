package io.twostep.examples.nvme;

import io.twostep.backend.p2p.PeerPath;
import io.twostep.device.nvme.BioVector;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.examples.temporary.TemporaryPath;
import io.twostep.machine.model.PeerBytes;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;

/**
 * Copies a file from one NVMe controller to another through the first one's memory: once by requests of that memory alone, once by requests that have host memory around it.
 *
 * <p>The second controller's namespace has room for both copies, so that neither stands in for the other.
 */
public final class PeerCopy {
  private static final int CHUNK = 128 << 10;
  private static final int PAGE = 4096;

  private final PeerPair pair;
  private final long fileSize;
  private final long blocks;
  private final ProgressListener listener;
  private long hostBytes;
  private long peerBytes;
  private long written;

  private PeerCopy(PeerPair pair, long fileSize, ProgressListener listener) {
    this.pair = pair;
    this.fileSize = fileSize;
    this.blocks = blocksOf(fileSize);
    this.listener = listener;
  }

  /**
   * Copy a file on one tree.
   *
   * @param listener hears how far the work has come
   * @throws IOException if the file or a store fails
   */
  public static PeerCopyResult run(Path file, PeerTree tree, ProgressListener listener) throws IOException {
    return run(file, tree, listener, List.of());
  }

  /** Copy a file with more layers in both controllers' stacks, outermost first; as {@link #run(Path, PeerTree, ProgressListener)}. */
  static PeerCopyResult run(Path file, PeerTree tree, ProgressListener listener, List<LayerBackend> above) throws IOException {
    long size = Files.size(file);
    byte[] digest = Digests.of(file, size);
    long room = Math.max(1, blocksOf(size));
    try (TemporaryPath from = TemporaryPath.file("twostep-from-", "blocks.img");
        TemporaryPath to = TemporaryPath.file("twostep-to-", "blocks.img");
        PeerPair pair = new PeerPair(tree, from.path(), room, to.path(), 2 * room, above)) {
      return new PeerCopy(pair, size, listener).run(file, tree, digest);
    }
  }

  private static long blocksOf(long bytes) {
    return (bytes + NvmeWorkload.BLOCK - 1) / NvmeWorkload.BLOCK;
  }

  private PeerCopyResult run(Path file, PeerTree tree, byte[] digest) throws IOException {
    try (MemoryBlock host = pair.machine.memory().allocate(CHUNK, MemoryPlacement.SCATTERED);
        PeerBlock peer = pair.shared.allocate(CHUNK)) {
      store(file, host);
      long entries = pair.hardwareEntries();
      long allocations = pair.iovaAllocations();
      long invalidations = pair.invalidations();
      copy(host, peer, false);
      copy(host, peer, true);
      entries = pair.hardwareEntries() - entries;
      allocations = pair.iovaAllocations() - allocations;
      invalidations = pair.invalidations() - invalidations;
      PeerPath path = pair.path();
      boolean arrived = Arrays.equals(digest, digest(host, 0)) && Arrays.equals(digest, digest(host, blocks));
      return new PeerCopyResult(
          tree,
          path.type().name(),
          path.reason(),
          pair.draw(path.hops()),
          path.hops(),
          arrived && tookTheWay(path.type()),
          entries,
          allocations,
          invalidations,
          hostBytes,
          peerBytes);
    }
  }

  /** Tell whether what the second controller took from the first one's memory came by the way that was chosen. */
  private boolean tookTheWay(PeerMapType type) {
    PeerBytes moved = pair.peerBytes();
    return type == PeerMapType.BUS_ADDRESS ? moved.direct() == written && moved.bridged() == 0 : moved.bridged() == written && moved.direct() == 0;
  }

  /** Put the file on the first controller, by way of host memory. */
  private void store(Path path, MemoryBlock host) throws IOException {
    NvmeNamespace namespace = pair.first.namespace(1);
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      for (long at = 0; at < fileSize; at += CHUNK) {
        int bytes = (int) Math.min(CHUNK, fileSize - at);
        FileReads.readFully(file, host.segment().asSlice(0, bytes).asByteBuffer(), at);
        int whole = whole(bytes);
        host.segment().asSlice(bytes, whole - bytes).fill((byte) 0);
        namespace.run(new NvmeBio().write(namespace, at / NvmeWorkload.BLOCK, blocksOf(bytes), new BioVector().add(host, 0, whole)));
        listener.progress("storing", at + bytes, fileSize);
      }
    }
  }

  private void copy(MemoryBlock host, PeerBlock peer, boolean mixed) {
    NvmeNamespace from = pair.first.namespace(1);
    NvmeNamespace to = pair.second.namespace(1);
    for (long at = 0; at < fileSize; at += CHUNK) {
      int bytes = whole((int) Math.min(CHUNK, fileSize - at));
      int before = mixed ? before(bytes) : 0;
      int behind = mixed ? third(bytes) : 0;
      BioVector data = new BioVector();
      if (before != 0) {
        data.add(host, 0, before);
      }
      data.add(peer.phys(), bytes - before - behind);
      if (behind != 0) {
        data.add(host, before, behind);
      }
      long lba = at / NvmeWorkload.BLOCK;
      long count = bytes / NvmeWorkload.BLOCK;
      peer.segment().asSlice(0, bytes).fill((byte) 0);
      from.run(new NvmeBio().read(from, lba, count, data));
      to.run(new NvmeBio().write(to, mixed ? blocks + lba : lba, count, data));
      written += bytes - before - behind;
      hostBytes += 2L * (before + behind);
      peerBytes += 2L * (bytes - before - behind);
      listener.progress(mixed ? "copying with host memory" : "copying", Math.min(fileSize, at + bytes), fileSize);
    }
  }

  /** Return how much of a mixed request lies in host memory before the peer's: a third, or one block of two. */
  private static int before(int bytes) {
    return bytes == 2 * NvmeWorkload.BLOCK ? NvmeWorkload.BLOCK : third(bytes);
  }

  /** Return a third of a request, in pages where it has enough of them, else in blocks. */
  private static int third(int bytes) {
    int unit = bytes >= 3 * PAGE ? PAGE : NvmeWorkload.BLOCK;
    return bytes / unit / 3 * unit;
  }

  /** Digest a copy on the second controller, by way of host memory. */
  private byte[] digest(MemoryBlock host, long firstBlock) {
    NvmeNamespace namespace = pair.second.namespace(1);
    MessageDigest digest = Digests.sha256();
    for (long at = 0; at < fileSize; at += CHUNK) {
      int bytes = (int) Math.min(CHUNK, fileSize - at);
      BioVector data = new BioVector().add(host, 0, whole(bytes));
      namespace.run(new NvmeBio().read(namespace, firstBlock + at / NvmeWorkload.BLOCK, blocksOf(bytes), data));
      digest.update(host.segment().asSlice(0, bytes).asByteBuffer());
      listener.progress("reading back", at + bytes, fileSize);
    }
    return digest.digest();
  }

  private static int whole(int bytes) {
    return (int) blocksOf(bytes) * NvmeWorkload.BLOCK;
  }
}
