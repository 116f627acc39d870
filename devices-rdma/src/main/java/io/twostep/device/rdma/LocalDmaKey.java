package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import java.lang.foreign.MemorySegment;

/**
 * The key that names DMA addresses as they are, for the domain's own queue pairs only: for memory that is mapped for one request and needs no registration.
 *
 * <p>It permits whatever is mapped for the adapter, so that it is never given to peers: they can do nothing with it.
 */
public final class LocalDmaKey implements MemoryKey {
  private final Hca hca;
  private final int key;
  private boolean closed;

  LocalDmaKey(Hca hca, ProtectionDomain domain) {
    this.hca = hca;
    key = hca.commands().execute(CommandLayout.OP_CREATE_MKEY, input -> fill(input, domain));
  }

  private static void fill(MemorySegment input, ProtectionDomain domain) {
    int bits = MkeyLayout.LOCAL_READ.with(MkeyLayout.MODE.with(0, MkeyLayout.MODE_PHYSICAL), 1);
    MkeyLayout.ACCESS.set(input, 0, MkeyLayout.LOCAL_WRITE.with(bits, 1));
    MkeyLayout.DOMAIN.set(input, 0, MkeyLayout.LENGTH64.with(MkeyLayout.PROTECTION_DOMAIN.with(0, domain.number()), 1));
  }

  @Override
  public int key() {
    return key;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_MKEY, key);
      closed = true;
    }
  }
}
