package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.MkeyLayout;

/** A key over pieces of other keys, of any addresses and lengths, that makes one range of them. It permits what it and the piece's own key both permit. */
public final class IndirectKey implements MemoryKey {
  private static final int LOG_PAGE = 12;
  private static final int WORD = 32;
  private static final long LOW = 0xffffffffL;
  private static final long WHOLE = 1L << 31;

  private final KeyPool pool;
  private final AdapterKey key;
  private final int name;
  private boolean closed;

  IndirectKey(Hca hca, ProtectionDomain domain, long start, DataSegments pieces, int access) {
    if (pieces.count() == 0) {
      throw new IllegalArgumentException(hca.name() + ": a key over no pieces; add some");
    }
    pool = hca.keys();
    key = pool.take(MkeyLayout.MODE_PIECES, false, pieces.count());
    try {
      key.load(0, 1L << key.shape().logEntries(), word -> word(pieces, word));
      name = key.enable(domain, access, start, pieces.bytes(), LOG_PAGE);
    } catch (RuntimeException e) {
      pool.tryGiveBack(key, e);
      throw e;
    }
  }

  /** Return half of an entry: length and key, or the address; entries behind the last are none. */
  private static long word(DataSegments pieces, long number) {
    int piece = (int) (number >>> 1);
    if (piece >= pieces.count()) {
      return 0;
    }
    long length = pieces.lengthField(piece) == 0 ? WHOLE : pieces.lengthField(piece);
    return (number & 1) != 0 ? pieces.address(piece) : length << WORD | (pieces.key(piece) & LOW);
  }

  @Override
  public int key() {
    return name;
  }

  /** Make the adapter forget the key; the keys of the pieces must live until then. */
  @Override
  public synchronized void close() {
    if (!closed) {
      pool.giveBack(key);
      closed = true;
    }
  }
}
