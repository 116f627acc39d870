package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.device.nvme.wire.SglDescriptorLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Reads scatter gather lists, as strictly as Base 4.1.2 allows. */
final class SglWalker {
  private static final int FETCH = 256;

  /** Chains longer than this are taken for a loop. */
  private static final int MOST_SEGMENTS = 1 << 16;

  private final HostMemory memory;
  private final NvmeModelConfig config;
  private final MemorySegment list;

  private CmbUse use = CmbUse.READ_DATA;
  private long wanted;

  SglWalker(Arena arena, HostMemory memory, NvmeModelConfig config) {
    this.memory = memory;
    this.config = config;
    list = arena.allocate((long) FETCH * SglDescriptorLayout.SIZE, Long.BYTES);
  }

  /**
   * Append the ranges of the descriptor at {@code base} to {@code runs}.
   *
   * @param lengthStatus the status for a list that is shorter or longer than {@code length}
   * @return a status code
   */
  int walk(MemorySegment segment, long base, long length, CmbUse dataUse, int lengthStatus, RunList runs) {
    use = dataUse;
    wanted = length;
    int type = type(segment, base);
    int status;
    if (isSegment(type)) {
      status =
          walkSegments(
              SglDescriptorLayout.ADDRESS.get(segment, base), SglDescriptorLayout.LENGTH.getUnsigned(segment, base), type, runs);
    } else {
      status = addData(segment, base, type, runs);
    }
    if (status != StatusCode.SUCCESS) {
      return status;
    }
    return runs.total() < length || (runs.total() > length && !config.sglLonger()) ? lengthStatus : StatusCode.SUCCESS;
  }

  private int walkSegments(long start, long startLength, int startType, RunList runs) {
    long address = start;
    long length = startLength;
    int type = startType;
    for (int segments = 0; segments < MOST_SEGMENTS; segments++) {
      if (length == 0 || length % SglDescriptorLayout.SIZE != 0) {
        return StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR;
      }
      boolean last = type == SglDescriptorLayout.TYPE_LAST_SEGMENT << 4;
      int inLast = 0;
      for (long at = 0; at < length; at += (long) inLast * SglDescriptorLayout.SIZE) {
        inLast = (int) Math.min((length - at) / SglDescriptorLayout.SIZE, FETCH);
        boolean linkAtEnd = !last && at + (long) inLast * SglDescriptorLayout.SIZE == length;
        int status = fetch(address + at, inLast);
        for (int i = 0; i < (linkAtEnd ? inLast - 1 : inLast) && status == StatusCode.SUCCESS; i++) {
          status = addInner((long) i * SglDescriptorLayout.SIZE, last, runs);
        }
        if (status != StatusCode.SUCCESS) {
          return status;
        }
      }
      if (last) {
        return StatusCode.SUCCESS;
      }
      long link = (inLast - 1L) * SglDescriptorLayout.SIZE;
      type = type(list, link);
      if (!isSegment(type)) {
        // A segment may also end with data: then it was the last one, and the pointer to it should have said so.
        return StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR;
      }
      address = SglDescriptorLayout.ADDRESS.get(list, link);
      length = SglDescriptorLayout.LENGTH.getUnsigned(list, link);
    }
    return StatusCode.INVALID_NUMBER_OF_SGL_DESCRIPTORS;
  }

  private int addInner(long at, boolean lastSegment, RunList runs) {
    int type = type(list, at);
    if (isSegment(type)) {
      return lastSegment ? StatusCode.INVALID_SGL_SEGMENT_DESCRIPTOR : StatusCode.INVALID_NUMBER_OF_SGL_DESCRIPTORS;
    }
    return addData(list, at, type, runs);
  }

  private int addData(MemorySegment segment, long base, int type, RunList runs) {
    long address = SglDescriptorLayout.ADDRESS.get(segment, base);
    long length = SglDescriptorLayout.LENGTH.getUnsigned(segment, base);
    if (config.strict() && (SglDescriptorLayout.RESERVED_AND_IDENTIFIER.get(segment, base) & 0x00ffffff) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    if (type == SglDescriptorLayout.TYPE_BIT_BUCKET << 4 && config.sglBitBucket()) {
      // In a write a bucket has no data; in a read it takes some.
      if (use == CmbUse.READ_DATA && length != 0) {
        runs.addDiscard(length);
      }
      return StatusCode.SUCCESS;
    }
    if (type != SglDescriptorLayout.TYPE_DATA_BLOCK << 4) {
      return StatusCode.SGL_DESCRIPTOR_TYPE_INVALID;
    }
    if (config.sgl() == SglSupport.DWORD && ((address | length) & 3) != 0) {
      return StatusCode.SGL_DATA_BLOCK_GRANULARITY_INVALID;
    }
    if (length == 0 || runs.total() >= wanted) {
      // Empty blocks move nothing; what lies behind the data of a longer list is not touched but counts.
      if (length != 0) {
        runs.addDiscard(length);
      }
      return StatusCode.SUCCESS;
    }
    if (!memory.permits(address, length, use)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    runs.add(address, length);
    return StatusCode.SUCCESS;
  }

  private int fetch(long at, int descriptors) {
    long bytes = (long) descriptors * SglDescriptorLayout.SIZE;
    if (!memory.permits(at, bytes, CmbUse.LISTS)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    return memory.read(at, list, 0, bytes) == BusMaster.OK ? StatusCode.SUCCESS : StatusCode.DATA_TRANSFER_ERROR;
  }

  /** Return type and subtype together: a subtype other than 0 is no type that this controller knows. */
  private static int type(MemorySegment segment, long base) {
    return SglDescriptorLayout.IDENTIFIER.get(segment, base);
  }

  private static boolean isSegment(int type) {
    return type == SglDescriptorLayout.TYPE_SEGMENT << 4 || type == SglDescriptorLayout.TYPE_LAST_SEGMENT << 4;
  }
}
