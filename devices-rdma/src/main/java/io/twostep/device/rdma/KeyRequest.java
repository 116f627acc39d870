package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import java.lang.foreign.MemorySegment;

/** What a memory key shall be; knows how access rights become the adapter's bits. */
record KeyRequest(ProtectionDomain domain, int access, long start, long length, int logPage, long table, boolean faults) {
  int create(Hca hca) {
    return hca.commands().execute(CommandLayout.OP_CREATE_MKEY, this::fill);
  }

  private void fill(MemorySegment input) {
    int bits = MkeyLayout.MODE.with(rights(access), MkeyLayout.MODE_TABLE);
    MkeyLayout.FLAGS.set(input, 0, MkeyLayout.PAGE_FAULTS.with(0, faults ? 1 : 0));
    MkeyLayout.ACCESS.set(input, 0, bits);
    MkeyLayout.DOMAIN.set(input, 0, MkeyLayout.REMOTE_INVALIDATE.with(MkeyLayout.PROTECTION_DOMAIN.with(0, domain.number()), 1));
    MkeyLayout.START.set(input, 0, start);
    MkeyLayout.LENGTH.set(input, 0, length);
    MkeyLayout.PAGE_SIZE.set(input, 0, MkeyLayout.LOG_PAGE_SIZE.with(0, logPage));
    MkeyLayout.TABLE.set(input, 0, table);
  }

  /** Return access rights as the adapter's bits. */
  static int rights(int access) {
    int bits = MkeyLayout.LOCAL_READ.with(0, 1);
    bits = MkeyLayout.LOCAL_WRITE.with(bits, has(access, AccessFlags.LOCAL_WRITE));
    bits = MkeyLayout.REMOTE_WRITE.with(bits, has(access, AccessFlags.REMOTE_WRITE));
    bits = MkeyLayout.REMOTE_READ.with(bits, has(access, AccessFlags.REMOTE_READ));
    return MkeyLayout.ATOMIC.with(bits, has(access, AccessFlags.REMOTE_ATOMIC));
  }

  private static int has(int access, int flag) {
    return (access & flag) == 0 ? 0 : 1;
  }
}
