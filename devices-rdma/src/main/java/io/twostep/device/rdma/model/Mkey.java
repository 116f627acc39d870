package io.twostep.device.rdma.model;

import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.wire.KlmLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import java.lang.foreign.MemorySegment;

/** A memory key as the adapter keeps it: context and translation entries. */
final class Mkey {
  private static final long[] ACCESS_MASKS = {
    KeyUpdateLayout.MASK_LOCAL_READ,
    KeyUpdateLayout.MASK_LOCAL_WRITE,
    KeyUpdateLayout.MASK_REMOTE_READ,
    KeyUpdateLayout.MASK_REMOTE_WRITE,
    KeyUpdateLayout.MASK_ATOMIC,
    KeyUpdateLayout.MASK_FREE
  };
  private static final Bits[] ACCESS_BITS = {
    MkeyLayout.LOCAL_READ, MkeyLayout.LOCAL_WRITE, MkeyLayout.REMOTE_READ, MkeyLayout.REMOTE_WRITE, MkeyLayout.ATOMIC, MkeyLayout.FREE
  };

  final int mode;
  final boolean faults;
  final boolean updatable;
  final EntryTable entries;
  private final boolean allAddresses;
  int key;
  int access;
  int domain;
  boolean remoteInvalidate;
  long start;
  long length;
  int logPage;

  /** Make a key as the input of a command says. */
  Mkey(int index, MemorySegment input, long octwords) {
    access = MkeyLayout.ACCESS.get(input, 0);
    int about = MkeyLayout.DOMAIN.get(input, 0);
    key = index << 8 | MkeyLayout.VARIANT.get(MkeyLayout.KEY.get(input, 0));
    mode = MkeyLayout.MODE.get(access);
    faults = MkeyLayout.PAGE_FAULTS.isSet(MkeyLayout.FLAGS.get(input, 0));
    updatable = MkeyLayout.UPDATABLE.isSet(access);
    allAddresses = MkeyLayout.LENGTH64.isSet(about);
    domain = MkeyLayout.PROTECTION_DOMAIN.get(about);
    remoteInvalidate = MkeyLayout.REMOTE_INVALIDATE.isSet(about);
    start = MkeyLayout.START.get(input, 0);
    length = MkeyLayout.LENGTH.get(input, 0);
    logPage = MkeyLayout.LOG_PAGE_SIZE.get(MkeyLayout.PAGE_SIZE.get(input, 0));
    entries = new EntryTable(octwords * MkeyLayout.OCTWORD / Long.BYTES);
  }

  boolean isFree() {
    return MkeyLayout.FREE.isSet(access);
  }

  void free() {
    access = MkeyLayout.FREE.with(access, 1);
  }

  /** Return the longs of a translation entry. */
  int entryLongs() {
    return (mode >= MkeyLayout.MODE_PIECES ? KlmLayout.SIZE : MttLayout.SIZE) / Long.BYTES;
  }

  /** Tell whether all bytes of a range are the key's; unsigned, and never wraps. */
  boolean covers(long address, long bytes) {
    long offset = address - start;
    return allAddresses ? bytes == 0 || Long.compareUnsigned(address + (bytes - 1), address) >= 0
        : Long.compareUnsigned(offset, length) <= 0 && Long.compareUnsigned(bytes, length - offset) <= 0;
  }

  /** Return the bytes of the key from an address of it on. */
  long left(long address) {
    return allAddresses ? Long.MAX_VALUE : length - (address - start);
  }

  /** Replace the parts of the context that {@code mask} names by those of the one at {@code base}. */
  void replace(long mask, MemorySegment from, long base) {
    int given = MkeyLayout.ACCESS.get(from, base);
    for (int i = 0; i < ACCESS_MASKS.length; i++) {
      if ((mask & ACCESS_MASKS[i]) != 0) {
        access = ACCESS_BITS[i].with(access, ACCESS_BITS[i].get(given));
      }
    }
    int about = MkeyLayout.DOMAIN.get(from, base);
    if ((mask & KeyUpdateLayout.MASK_DOMAIN) != 0) {
      domain = MkeyLayout.PROTECTION_DOMAIN.get(about);
    }
    if ((mask & KeyUpdateLayout.MASK_REMOTE_INVALIDATE) != 0) {
      remoteInvalidate = MkeyLayout.REMOTE_INVALIDATE.isSet(about);
    }
    if ((mask & KeyUpdateLayout.MASK_VARIANT) != 0) {
      key = MkeyLayout.VARIANT.with(key, MkeyLayout.VARIANT.get(MkeyLayout.KEY.get(from, base)));
    }
    if ((mask & KeyUpdateLayout.MASK_START) != 0) {
      start = MkeyLayout.START.get(from, base);
    }
    if ((mask & KeyUpdateLayout.MASK_LENGTH) != 0) {
      length = MkeyLayout.LENGTH.get(from, base);
    }
    if ((mask & KeyUpdateLayout.MASK_PAGE_SIZE) != 0) {
      logPage = MkeyLayout.LOG_PAGE_SIZE.get(MkeyLayout.PAGE_SIZE.get(from, base));
    }
  }
}
