package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.PhysRanges;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A key over memory that stays mapped until it is closed. Its table has one entry for each page of the largest size that the DMA ranges allow. */
public final class PinnedKey implements MemoryKey {
  private static final int SMALLEST_PAGE = 12;
  private static final int LARGEST_PAGE = 31;

  private final Hca hca;
  private final DmaTransfer transfer;
  private final int key;
  private @Nullable DmaBuffer table;
  private long[] addresses = new long[8];
  private long[] lengths = new long[8];
  private int ranges;
  private boolean closed;

  PinnedKey(Hca hca, ProtectionDomain domain, long start, PhysRanges source, int access) {
    this.hca = hca;
    transfer = hca.mapper().newTransfer();
    try {
      transfer.map(source, AccessFlags.direction(access), DmaAttributes.REQUIRE_COHERENT, this::collect);
      long length = transfer.length();
      int logPage = logPage(start, length);
      DmaBuffer entries = write(start, length, logPage);
      table = entries;
      key = new KeyRequest(domain, access, start, length, logPage, entries.dmaAddress(), false).create(hca);
    } catch (RuntimeException e) {
      release();
      throw e;
    }
  }

  private boolean collect(long dmaAddress, long length, int kind) {
    if (ranges > 0 && addresses[ranges - 1] + lengths[ranges - 1] == dmaAddress) {
      lengths[ranges - 1] += length;
      return true;
    }
    if (ranges == addresses.length) {
      addresses = Arrays.copyOf(addresses, 2 * ranges);
      lengths = Arrays.copyOf(lengths, 2 * ranges);
    }
    addresses[ranges] = dmaAddress;
    lengths[ranges++] = length;
    return true;
  }

  /** Return the largest page whose entries describe the ranges: wherever one begins, address and DMA address must agree in the bits below. */
  private int logPage(long start, long length) {
    long mask = 1L << LARGEST_PAGE;
    long at = start;
    for (int i = 0; i < ranges; i++) {
      mask |= addresses[i] ^ at;
      mask |= i > 0 ? at : 0;
      at += lengths[i];
    }
    long span = start ^ (start + length - 1);
    int needed = Math.max(SMALLEST_PAGE, Long.SIZE - Long.numberOfLeadingZeros(span));
    int allowed = Long.numberOfTrailingZeros(mask);
    if (allowed < SMALLEST_PAGE) {
      throw new IllegalArgumentException(
          hca.name() + ": no page of 4 KiB or more fits address 0x" + Long.toHexString(start) + " and " + ranges + " DMA ranges; inner edges must lie on pages");
    }
    return Math.min(allowed, needed);
  }

  private DmaBuffer write(long start, long length, int logPage) {
    long page = 1L << logPage;
    long first = start & -page;
    long count = ((start - first) + length + page - 1) >>> logPage;
    DmaBuffer entries = hca.mapper().allocateCoherent(count * MttLayout.SIZE);
    long at = start;
    for (int i = 0; i < ranges; i++) {
      long offset = at & (page - 1);
      for (long done = -offset; done < lengths[i]; done += page) {
        MttLayout.ENTRY.set(entries.segment(), ((at + done - first) >>> logPage) * MttLayout.SIZE, addresses[i] + done);
      }
      at += lengths[i];
    }
    return entries;
  }

  @Override
  public int key() {
    return key;
  }

  @Override
  public void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_MKEY, key);
      closed = true;
      release();
    }
  }

  private void release() {
    if (table != null) {
      table.close();
    }
    transfer.close();
  }
}
