package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.device.nvme.wire.SglDescriptorLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Turns the pointers of a command into runs, whatever their format. */
final class DataPointers {
  private final HostMemory memory;
  private final NvmeModelConfig config;
  private final PrpWalker prp;
  private final SglWalker sgl;
  private final MemorySegment descriptor;
  private int pageSize = 4096;

  DataPointers(Arena arena, HostMemory memory, NvmeModelConfig config) {
    this.memory = memory;
    this.config = config;
    prp = new PrpWalker(arena, memory, config.strict());
    sgl = new SglWalker(arena, memory, config);
    descriptor = arena.allocate(SglDescriptorLayout.SIZE, Long.BYTES);
  }

  /** Use pages of this size from now on: CC.MPS. */
  void setPageSize(int bytes) {
    pageSize = bytes;
  }

  int pageSize() {
    return pageSize;
  }

  /** Fill {@code runs} with the ranges of {@code length} data bytes of an I/O command; returns a status code. */
  int parse(MemorySegment sqe, long base, long length, CmbUse use, RunList runs) {
    runs.clear();
    int kind = SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, base));
    if (kind == SqeLayout.PSDT_PRP) {
      return length == 0 ? StatusCode.SUCCESS : prp.walk(sqe, base, length, pageSize, use, runs);
    }
    if (!isSupported(kind)) {
      return StatusCode.INVALID_FIELD;
    }
    return sgl.walk(sqe, base + SqeLayout.SGL1, length, use, StatusCode.DATA_SGL_LENGTH_INVALID, runs);
  }

  /** Fill {@code runs} with the ranges of an admin command, which has PRPs only; returns a status code. */
  int parseAdmin(MemorySegment sqe, long base, long length, CmbUse use, RunList runs) {
    runs.clear();
    if (SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, base)) != SqeLayout.PSDT_PRP) {
      return StatusCode.INVALID_FIELD;
    }
    return prp.walk(sqe, base, length, pageSize, use, runs);
  }

  /** Fill {@code runs} with the ranges of {@code length} bytes of separate metadata; returns a status code. */
  int parseMetadata(MemorySegment sqe, long base, long length, CmbUse use, RunList runs) {
    runs.clear();
    long pointer = SqeLayout.MPTR.get(sqe, base);
    int kind = SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, base));
    if (pointer == 0 || (pointer & 3) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    if (kind != SqeLayout.PSDT_SGL_META_SGL) {
      if (!memory.permits(pointer, length, use)) {
        return StatusCode.INVALID_USE_OF_CMB;
      }
      runs.add(pointer, length);
      return StatusCode.SUCCESS;
    }
    if ((pointer & 7) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    if (!memory.permits(pointer, SglDescriptorLayout.SIZE, CmbUse.LISTS)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    if (memory.read(pointer, descriptor, 0, SglDescriptorLayout.SIZE) != BusMaster.OK) {
      return StatusCode.DATA_TRANSFER_ERROR;
    }
    return sgl.walk(descriptor, 0, length, use, StatusCode.METADATA_SGL_LENGTH_INVALID, runs);
  }

  private boolean isSupported(int kind) {
    return switch (kind) {
      case SqeLayout.PSDT_SGL -> config.sgl() != SglSupport.NONE;
      case SqeLayout.PSDT_SGL_META_SGL -> config.sgl() != SglSupport.NONE && config.metadataSgl();
      default -> false;
    };
  }
}
