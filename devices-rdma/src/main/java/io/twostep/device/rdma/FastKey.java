package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.DmaBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A key that work requests make valid and invalid again, for memory mapped and unmapped by others: {@link QueuePair#postRegister} and {@link QueuePair#postInvalidate}.
 *
 * <p>Invalid at first. Each registration gives it another low byte, so that who still holds the former one can do nothing with it. Peers may invalidate it too. One thread at a time, that of its queue
 * pair.
 */
public final class FastKey implements MemoryKey {
  /** Bytes of a page, as a power of two. */
  public static final int LOG_PAGE = 12;

  private static final long PAGE = 1L << LOG_PAGE;

  private final Hca hca;
  private final int domain;
  private final int maxPages;
  private final AdapterKey key;
  private final DmaBuffer pages;
  private final LocalDmaKey pagesKey;
  private int name;
  private boolean closed;

  /** The last request about the key, and where it was posted. */
  private @Nullable QueuePair postedTo;

  private int lastPosted;

  FastKey(Hca hca, ProtectionDomain domain, int maxPages) {
    if (maxPages < 1 || maxPages > KeyUpdate.MOST_ENTRIES) {
      throw new IllegalArgumentException(hca.name() + ": a fast key of " + maxPages + " pages; from 1 to " + KeyUpdate.MOST_ENTRIES + " can be had");
    }
    this.hca = hca;
    this.domain = domain.number();
    this.maxPages = maxPages;
    pages = hca.mapper().allocateCoherent((long) maxPages * MttLayout.SIZE);
    try {
      pagesKey = hca.newLocalKey(domain);
    } catch (RuntimeException e) {
      pages.close();
      throw e;
    }
    try {
      key = hca.keys().take(MkeyLayout.MODE_TABLE, false, maxPages);
    } catch (RuntimeException e) {
      closePages();
      throw e;
    }
    try {
      key.lend(domain.number());
    } catch (RuntimeException e) {
      hca.keys().tryGiveBack(key, e);
      closePages();
      throw e;
    }
    name = key.key();
  }

  private void closePages() {
    pagesKey.close();
    pages.close();
  }

  /** Return the most pages it takes. */
  public int maxPages() {
    return maxPages;
  }

  /**
   * Say where page {@code index} lies; before the registration that is to use it, while the key is invalid.
   *
   * @param dmaAddress on a page of 4 KiB
   */
  public void page(int index, long dmaAddress) {
    MttLayout.ENTRY.set(pages.segment(), (long) index * MttLayout.SIZE, dmaAddress);
  }

  /** Return the key of the latest registration that was posted. */
  @Override
  public int key() {
    return name;
  }

  /** Refuse requests about a key that may be another's by now, and those on a second queue pair while the first is at it: nobody would know their order. */
  private void requireOpen(QueuePair to) {
    if (closed) {
      throw new IllegalStateException("%s: fast key 0x%x is closed; make another".formatted(hca.name(), name));
    }
    if (to != postedTo) {
      requireIdle();
    }
  }

  private void requireIdle() {
    QueuePair at = postedTo;
    if (at != null && !at.hasEnded(lastPosted)) {
      throw new IllegalStateException(
          "%s: a request about fast key 0x%x is posted to queue pair %d; await its end, or close the queue pair".formatted(hca.name(), name, at.number()));
    }
  }

  /** Take note of a request about the key. */
  void posted(QueuePair to, int request) {
    postedTo = to;
    lastPosted = request;
  }

  private static long pagesOf(long start, long length) {
    return ((start & (PAGE - 1)) + length + PAGE - 1) >>> LOG_PAGE;
  }

  /** Refuse what the key cannot be registered for. */
  void check(QueuePair to, long start, long length) {
    requireOpen(to);
    if (length <= 0 || pagesOf(start, length) > maxPages) {
      throw new IllegalArgumentException("%s: 0x%x bytes at 0x%x do not fit a key of %d pages; cut them".formatted(hca.name(), length, start, maxPages));
    }
  }

  /** Return the change that makes the key valid, under another low byte. */
  KeyUpdate registration(long start, long length, int access) {
    key.rename();
    name = key.key();
    int variant = MkeyLayout.VARIANT.get(name);
    KeyContext context = new KeyContext(domain, access | AccessFlags.REMOTE_INVALIDATE, start, length, LOG_PAGE, variant, false);
    long mask = KeyContext.MASK_ALL & ~KeyUpdateLayout.MASK_DOMAIN;
    return new KeyUpdate(
        name, key.shape(), KeyUpdateLayout.CHECK_FREE, mask, context, 0, (int) pagesOf(start, length), pagesKey.key(), pages.dmaAddress());
  }

  /** Return the change that makes the key invalid. */
  KeyUpdate invalidation(QueuePair to) {
    requireOpen(to);
    return KeyUpdate.ofContext(name, key.shape(), 0, KeyUpdateLayout.MASK_FREE, KeyContext.revoked(domain));
  }

  /**
   * Make the adapter forget the key.
   *
   * @throws IllegalStateException while a request about it is posted: executed later, that would change the key of its next owner
   */
  @Override
  public void close() {
    if (!closed) {
      requireIdle();
      hca.keys().giveBack(key);
      closed = true;
      closePages();
    }
  }
}
