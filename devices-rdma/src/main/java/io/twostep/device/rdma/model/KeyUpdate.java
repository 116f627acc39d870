package io.twostep.device.rdma.model;

import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What a send entry makes of a memory key. */
final class KeyUpdate {
  private static final long KNOWN =
      KeyUpdateLayout.CHANGES_LENGTH
          | KeyUpdateLayout.CHANGES_PAGE_SIZE
          | KeyUpdateLayout.CHANGES_START
          | KeyUpdateLayout.CHANGES_VARIANT
          | KeyUpdateLayout.CHANGES_RIGHTS
          | KeyUpdateLayout.CHANGES_FREE;

  private static final Bits[] RIGHTS = {
    MkeyLayout.LOCAL_READ, MkeyLayout.LOCAL_WRITE, MkeyLayout.REMOTE_READ, MkeyLayout.REMOTE_WRITE, MkeyLayout.ATOMIC
  };

  private final MemorySegment entry;
  private final long mask;

  KeyUpdate(MemorySegment entry) {
    this.entry = entry;
    mask = KeyUpdateLayout.MASK.get(entry, 0);
  }

  /** Return the key as it is to be, or null if the update makes no sense for it. */
  @Nullable Mkey of(Mkey old) {
    boolean unlessFree = KeyUpdateLayout.FAIL_UNLESS_FREE.isSet(KeyUpdateLayout.FLAGS.get(entry, 0));
    if (!old.updatable || (mask & ~KNOWN) != 0 || (unlessFree && !old.free)) {
      return null;
    }
    long base = KeyUpdateLayout.CONTEXT_BASE;
    int logPage = MkeyLayout.LOG_PAGE_SIZE.get(MkeyLayout.PAGE_SIZE.get(entry, base));
    if (changes(KeyUpdateLayout.CHANGES_PAGE_SIZE) && logPage < Translator.SMALLEST_LOG_PAGE) {
      return null;
    }
    int variant = MkeyLayout.VARIANT.get(MkeyLayout.KEY.get(entry, base));
    Mkey changed =
        new Mkey(
            changes(KeyUpdateLayout.CHANGES_VARIANT) ? MkeyLayout.VARIANT.with(old.key, variant) : old.key,
            rights(old.access, MkeyLayout.ACCESS.get(entry, base)),
            old.domain,
            old.remoteInvalidate,
            old.allAddresses,
            old.physical,
            old.faults,
            changes(KeyUpdateLayout.CHANGES_START) ? MkeyLayout.START.get(entry, base) : old.start,
            changes(KeyUpdateLayout.CHANGES_LENGTH) ? MkeyLayout.LENGTH.get(entry, base) : old.length,
            changes(KeyUpdateLayout.CHANGES_PAGE_SIZE) ? logPage : old.logPage,
            old.table,
            true);
    changed.free = changes(KeyUpdateLayout.CHANGES_FREE) ? MkeyLayout.FREE.isSet(MkeyLayout.ACCESS.get(entry, base)) : old.free;
    return changed;
  }

  private boolean changes(long bits) {
    return (mask & bits) == bits;
  }

  private int rights(int before, int wanted) {
    int access = before;
    for (Bits right : RIGHTS) {
      access = changes(KeyUpdateLayout.CHANGES_RIGHTS) ? right.with(access, right.get(wanted)) : access;
    }
    return access;
  }
}
