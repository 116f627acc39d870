package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.PrpLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Reads physical region pages, as strictly as Base 4.1.1 allows. */
final class PrpWalker {
  private static final int FETCH = 512;

  private final HostMemory memory;
  private final boolean strict;
  private final MemorySegment list;

  PrpWalker(Arena arena, HostMemory memory, boolean strict) {
    this.memory = memory;
    this.strict = strict;
    list = arena.allocate((long) FETCH * PrpLayout.ENTRY_SIZE, Long.BYTES);
  }

  /** Append the ranges of {@code length} bytes to {@code runs}; returns a status code. */
  int walk(MemorySegment sqe, long base, long length, int pageSize, CmbUse use, RunList runs) {
    long prp1 = SqeLayout.PRP1.get(sqe, base);
    long prp2 = SqeLayout.PRP2.get(sqe, base);
    if (prp1 == 0) {
      return StatusCode.INVALID_FIELD;
    }
    if ((prp1 & PrpLayout.DATA_ALIGNMENT_MASK) != 0) {
      return StatusCode.PRP_OFFSET_INVALID;
    }
    long first = Math.min(length, pageSize - (prp1 & (pageSize - 1)));
    long left = length - first;
    int status = add(prp1, first, use, runs);
    if (status != StatusCode.SUCCESS) {
      return status;
    }
    if (left == 0) {
      return strict && prp2 != 0 ? StatusCode.INVALID_FIELD : StatusCode.SUCCESS;
    }
    if (left <= pageSize) {
      return addPage(prp2, left, pageSize, use, runs);
    }
    if ((prp2 & PrpLayout.LIST_ALIGNMENT_MASK) != 0) {
      return StatusCode.PRP_OFFSET_INVALID;
    }
    return walkList(prp2, left, pageSize, use, runs);
  }

  private int walkList(long start, long length, int pageSize, CmbUse use, RunList runs) {
    long at = start;
    long left = length;
    while (left > 0) {
      long slots = (pageSize - (at & (pageSize - 1))) / PrpLayout.ENTRY_SIZE;
      long needed = (left + pageSize - 1) / pageSize;
      int fetched = (int) Math.min(Math.min(slots, needed), FETCH);
      boolean linked = fetched == slots && needed > slots;
      int status = fetch(at, fetched);
      for (int i = 0; i < (linked ? fetched - 1 : fetched) && status == StatusCode.SUCCESS; i++) {
        long part = Math.min(left, pageSize);
        status = addPage(entry(i), part, pageSize, use, runs);
        left -= part;
      }
      if (status == StatusCode.SUCCESS && linked) {
        status = checkPage(entry(fetched - 1), pageSize);
      }
      if (status != StatusCode.SUCCESS) {
        return status;
      }
      at = linked ? entry(fetched - 1) : at + (long) fetched * PrpLayout.ENTRY_SIZE;
    }
    return StatusCode.SUCCESS;
  }

  private int fetch(long at, int entries) {
    long bytes = (long) entries * PrpLayout.ENTRY_SIZE;
    if (at == 0) {
      return StatusCode.INVALID_FIELD;
    }
    if (!memory.permits(at, bytes, CmbUse.LISTS)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    return memory.read(at, list, 0, bytes) == BusMaster.OK ? StatusCode.SUCCESS : StatusCode.DATA_TRANSFER_ERROR;
  }

  private long entry(int index) {
    return PrpLayout.ENTRY.get(list, (long) index * PrpLayout.ENTRY_SIZE);
  }

  private int addPage(long dmaAddress, long bytes, int pageSize, CmbUse use, RunList runs) {
    int status = checkPage(dmaAddress, pageSize);
    return status == StatusCode.SUCCESS ? add(dmaAddress, bytes, use, runs) : status;
  }

  private int add(long dmaAddress, long bytes, CmbUse use, RunList runs) {
    if (!memory.permits(dmaAddress, bytes, use)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    runs.add(dmaAddress, bytes);
    return StatusCode.SUCCESS;
  }

  private static int checkPage(long dmaAddress, int pageSize) {
    if (dmaAddress == 0) {
      return StatusCode.INVALID_FIELD;
    }
    return (dmaAddress & (pageSize - 1)) == 0 ? StatusCode.SUCCESS : StatusCode.PRP_OFFSET_INVALID;
  }
}
