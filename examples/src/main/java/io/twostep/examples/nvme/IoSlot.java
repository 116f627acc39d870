package io.twostep.examples.nvme;

import io.twostep.device.nvme.BioVector;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeQueue;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One request with its buffer: scattered frames, and data that begins and ends off a page.
 *
 * <p>Where the IOMMU's granule is larger than a frame, the pieces that lie scattered are granules.
 */
final class IoSlot implements AutoCloseable {
  private static final int PAGE = 4096;

  final NvmeBio bio = new NvmeBio();

  /** Data bytes of the latest request. */
  long bytes;

  /** The queue it went to. */
  @Nullable NvmeQueue queue;

  private final BioVector vector = new BioVector();
  private final List<MemoryBlock> pieces = new ArrayList<>();
  private final long pieceLength;
  private final long lead;

  IoSlot(PhysicalMemory memory, long granule, long ioSize, int index) {
    lead = (1 + index % (PAGE / NvmeWorkload.BLOCK - 1)) * (long) NvmeWorkload.BLOCK;
    if (granule <= memory.frameSize()) {
      pieceLength = ioSize + PAGE;
      pieces.add(memory.allocate(pieceLength, MemoryPlacement.SCATTERED));
    } else {
      pieceLength = granule;
      // Twice a granule, so that the halves in use never touch: pieces stay apart as scattered frames do.
      for (long at = 0; at < lead + ioSize; at += granule) {
        pieces.add(memory.allocate(2 * granule, MemoryPlacement.CONTIGUOUS));
      }
    }
  }

  /** Return how many of the data bytes from {@code offset} on lie in one piece for the CPU, at most {@code most}. */
  long run(long offset, long most) {
    return Math.min(most, pieceLength - (lead + offset) % pieceLength);
  }

  /** Return the CPU's view of data bytes that lie in one piece. */
  MemorySegment data(long offset, long length) {
    long at = lead + offset;
    return pieces.get((int) (at / pieceLength)).segment().asSlice(at % pieceLength, length);
  }

  /** Describe the first {@code length} data bytes, whole blocks. */
  BioVector describe(long length) {
    if (vector.bytes() != length) {
      vector.clear();
      for (long offset = 0; offset < length; offset += run(offset, length - offset)) {
        long at = lead + offset;
        vector.add(pieces.get((int) (at / pieceLength)), at % pieceLength, run(offset, length - offset));
      }
    }
    return vector;
  }

  @Override
  public void close() {
    pieces.forEach(MemoryBlock::close);
  }
}
