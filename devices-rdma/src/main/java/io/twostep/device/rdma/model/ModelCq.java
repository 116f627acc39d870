package io.twostep.device.rdma.model;

import io.twostep.device.rdma.wire.Be32;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.CqeLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;

/** A completion queue from the adapter's side. */
final class ModelCq {
  private static final Be32 CONSUMED = new Be32(0);

  private final BusMaster bus;
  private final EntryRing ring;
  private final long record;
  private final MemorySegment word = MemorySegment.ofArray(new byte[Integer.BYTES]);
  int users;

  ModelCq(BusMaster bus, EntryRing ring, long record) {
    this.bus = bus;
    this.ring = ring;
    this.record = record;
  }

  /** Post a completion; false if the queue overflows or host memory does not take it. */
  boolean post(int kind, CompletionStatus status, int queuePair, int counter, int extra, long bytes) {
    if (bus.read(record, word, 0, Integer.BYTES) != BusMaster.OK
        || (int) ring.produced() - CONSUMED.get(word, 0) >= ring.capacity()) {
      return false;
    }
    MemorySegment entry = ring.blank();
    CqeLayout.EXTRA.set(entry, 0, extra);
    CqeLayout.BYTE_COUNT.set(entry, 0, (int) bytes);
    CqeLayout.SYNDROME.set(entry, 0, status.syndrome());
    CqeLayout.QUEUE_PAIR.set(entry, 0, queuePair);
    CqeLayout.WQE_COUNTER.set(entry, 0, counter);
    CqeLayout.KIND_OWNER.set(entry, 0, CqeLayout.OWNER.with(CqeLayout.KIND.with(0, kind), ring.round()));
    return ring.post();
  }
}
