package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import java.lang.foreign.MemorySegment;

/**
 * What a memory key shall permit; knows how access rights become the adapter's bits.
 *
 * @param domain number of the protection domain
 * @param access {@link AccessFlags}
 * @param start first address
 * @param length bytes
 * @param logPage bytes that an entry translates, as a power of two
 * @param variant low byte of the key
 * @param free whether the key is invalid
 */
record KeyContext(int domain, int access, long start, long length, int logPage, int variant, boolean free) {
  private static final int LOG_SMALLEST_PAGE = 12;

  /** All that an update can change. */
  static final long MASK_ALL =
      KeyUpdateLayout.MASK_LENGTH
          | KeyUpdateLayout.MASK_PAGE_SIZE
          | KeyUpdateLayout.MASK_START
          | KeyUpdateLayout.MASK_DOMAIN
          | KeyUpdateLayout.MASK_REMOTE_INVALIDATE
          | KeyUpdateLayout.MASK_VARIANT
          | KeyUpdateLayout.MASK_LOCAL_READ
          | KeyUpdateLayout.MASK_LOCAL_WRITE
          | KeyUpdateLayout.MASK_REMOTE_READ
          | KeyUpdateLayout.MASK_REMOTE_WRITE
          | KeyUpdateLayout.MASK_ATOMIC
          | KeyUpdateLayout.MASK_FREE;

  /** What makes a key useless and nobody's. */
  static final long MASK_REVOKE = KeyUpdateLayout.MASK_FREE | KeyUpdateLayout.MASK_DOMAIN;

  /** Return the context of a key that permits nothing. */
  static KeyContext revoked(int domain) {
    return new KeyContext(domain, 0, 0, 0, LOG_SMALLEST_PAGE, 0, true);
  }

  /** Write the context where {@link MkeyLayout} places it behind {@code base}. */
  void write(MemorySegment to, long base, KeyShape shape) {
    int bits = MkeyLayout.UPDATABLE.with(MkeyLayout.MODE.with(0, shape.mode()), 1);
    bits = MkeyLayout.FREE.with(bits, free ? 1 : 0);
    bits = MkeyLayout.LOCAL_READ.with(bits, 1);
    bits = MkeyLayout.LOCAL_WRITE.with(bits, has(AccessFlags.LOCAL_WRITE));
    bits = MkeyLayout.REMOTE_WRITE.with(bits, has(AccessFlags.REMOTE_WRITE));
    bits = MkeyLayout.REMOTE_READ.with(bits, has(AccessFlags.REMOTE_READ));
    bits = MkeyLayout.ATOMIC.with(bits, has(AccessFlags.REMOTE_ATOMIC));
    MkeyLayout.ACCESS.set(to, base, bits);
    MkeyLayout.KEY.set(to, base, MkeyLayout.VARIANT.with(0, variant));
    int about = MkeyLayout.REMOTE_INVALIDATE.with(0, has(AccessFlags.REMOTE_INVALIDATE));
    MkeyLayout.DOMAIN.set(to, base, MkeyLayout.PROTECTION_DOMAIN.with(about, domain));
    MkeyLayout.START.set(to, base, start);
    MkeyLayout.LENGTH.set(to, base, length);
    MkeyLayout.PAGE_SIZE.set(to, base, MkeyLayout.LOG_PAGE_SIZE.with(0, logPage));
  }

  private int has(int flag) {
    return (access & flag) == 0 ? 0 : 1;
  }
}
