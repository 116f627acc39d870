package io.twostep.device.rdma.rw;

/**
 * What transfers of a queue pair are cut to.
 *
 * @param sendSge most local ranges of one WRITE
 * @param readSge most local ranges of one READ
 * @param longRead a READ into more ranges than these is done by keys, if it is a scatter list; 0 for never
 * @param keyPages most pages of 4 KiB that one key takes, up to {@link #MAX_KEY_PAGES}
 * @param messageBytes most bytes of one work request
 * @param readsNeedKeys whether every READ wants a key, as iWARP adapters do
 * @param forceKeys whether everything is done by keys: for tests of them
 */
public record RwLimits(int sendSge, int readSge, int longRead, int keyPages, long messageBytes, boolean readsNeedKeys, boolean forceKeys) {
  /** The most pages of one key, whatever the adapter takes. */
  public static final int MAX_KEY_PAGES = 256;

  private static final long LONGEST_MESSAGE = 1L << 30;

  public RwLimits {
    if (sendSge < 1 || readSge < 1 || longRead < 0 || keyPages < 1 || keyPages > MAX_KEY_PAGES) {
      throw new IllegalArgumentException(
          "limits of %d and %d ranges, long from %d, %d pages: ranges are positive, pages 1 to %d".formatted(sendSge, readSge, longRead, keyPages, MAX_KEY_PAGES));
    }
    if (messageBytes < 1 || messageBytes > LONGEST_MESSAGE) {
      throw new IllegalArgumentException("messages of " + messageBytes + " bytes; they have 1 to 2^30");
    }
  }

  /** Return limits without keys for an adapter that takes {@code ranges} to a request of either kind. */
  public static RwLimits ofRanges(int ranges) {
    return new RwLimits(ranges, ranges, 0, MAX_KEY_PAGES, LONGEST_MESSAGE, false, false);
  }

  /** Return the most local ranges of one request. */
  public int sge(RwOperation operation) {
    return operation == RwOperation.READ ? readSge : sendSge;
  }

  /** Return a copy with another {@link #longRead}. */
  public RwLimits withLongRead(int ranges) {
    return new RwLimits(sendSge, readSge, ranges, keyPages, messageBytes, readsNeedKeys, forceKeys);
  }

  /** Return a copy with another {@link #keyPages}. */
  public RwLimits withKeyPages(int pages) {
    return new RwLimits(sendSge, readSge, longRead, pages, messageBytes, readsNeedKeys, forceKeys);
  }

  /** Return a copy with another {@link #messageBytes}. */
  public RwLimits withMessageBytes(long bytes) {
    return new RwLimits(sendSge, readSge, longRead, keyPages, bytes, readsNeedKeys, forceKeys);
  }

  /** Return a copy with {@link #readsNeedKeys}. */
  public RwLimits withReadsNeedKeys() {
    return new RwLimits(sendSge, readSge, longRead, keyPages, messageBytes, true, forceKeys);
  }

  /** Return a copy with {@link #forceKeys}. */
  public RwLimits withForceKeys() {
    return new RwLimits(sendSge, readSge, longRead, keyPages, messageBytes, readsNeedKeys, true);
  }
}
