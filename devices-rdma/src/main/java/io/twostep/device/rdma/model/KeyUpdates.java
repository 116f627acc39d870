package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.MemoryResult;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Changes memory keys as send entries say: all of what one says, or nothing. */
final class KeyUpdates {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final Translator memory;

  KeyUpdates(Translator memory) {
    this.memory = memory;
  }

  /**
   * Execute a send entry of a queue pair.
   *
   * @param privileged whether the queue pair may change keys of all domains
   */
  CompletionStatus execute(MemorySegment wqe, int domain, boolean privileged) {
    int number = WqeLayout.EXTRA.get(wqe, 0);
    long mask = KeyUpdateLayout.MASK.get(wqe, 0);
    int flags = KeyUpdateLayout.FLAGS.get(wqe, 0);
    Mkey key = memory.withIndexOf(number);
    if (key == null) {
      return CompletionStatus.LOCAL_OPERATION;
    }
    boolean permitted =
        key.updatable
            && (privileged || (key.domain == domain && (mask & KeyUpdateLayout.MASK_DOMAIN) == 0))
            && ((flags & KeyUpdateLayout.CHECK_FREE) == 0 || key.isFree());
    return permitted ? update(key, wqe, domain, mask) : CompletionStatus.LOCAL_OPERATION;
  }

  private CompletionStatus update(Mkey key, MemorySegment wqe, int domain, long mask) {
    int longs = key.entryLongs();
    long count = (long) KeyUpdateLayout.ENTRIES.get(wqe, 0) * longs;
    long first = ((KeyUpdateLayout.OFFSET_HIGH.getUnsigned(wqe, 0) << Short.SIZE) | KeyUpdateLayout.OFFSET_LOW.get(wqe, 0)) * longs;
    if (first + count > key.entries.capacity()) {
      return CompletionStatus.LOCAL_OPERATION;
    }
    MemorySegment data = MemorySegment.ofArray(new byte[(int) (count * Long.BYTES)]);
    if (count > 0) {
      int dataKey = WqeLayout.DATA_KEY.get(wqe, KeyUpdateLayout.DATA);
      long address = WqeLayout.DATA_ADDRESS.get(wqe, KeyUpdateLayout.DATA);
      if (WqeLayout.DATA_LENGTH.getUnsigned(wqe, KeyUpdateLayout.DATA) != data.byteSize()
          || memory.read(domain, dataKey, address, data, data.byteSize(), MkeyLayout.LOCAL_READ) != MemoryResult.DONE) {
        return CompletionStatus.LOCAL_PROTECTION;
      }
    }
    for (long i = 0; i < count; i++) {
      key.entries.set(first + i, data.get(WORD, i * Long.BYTES));
    }
    key.replace(mask, wqe, KeyUpdateLayout.CONTEXT_BASE);
    return CompletionStatus.SUCCESS;
  }
}
