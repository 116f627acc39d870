package io.twostep.device.nvme.model;

import io.twostep.device.nvme.protection.ProtectionFormat;
import io.twostep.device.nvme.protection.ProtectionInformation;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Moves blocks between a medium and the host. Without metadata they move in one copy; with metadata they pass a stage, a few blocks at a
 * time, where protection information is made, checked and taken apart.
 */
final class BlockPath {
  private static final int STAGE = 1 << 17;

  private final RunList data;
  private final RunList metadata;
  private final MemorySegment stage;
  private final MemorySegment other;

  private long failedLba;

  // Where blocks stand in the stage, for the command in hand.
  private int batch;
  private long dataStride;
  private long metadataBase;
  private long metadataStride;

  /** Create over the runs that commands are parsed into. */
  BlockPath(Arena arena, RunList data, RunList metadata) {
    this.data = data;
    this.metadata = metadata;
    stage = arena.allocate(STAGE, Long.BYTES);
    other = arena.allocate(STAGE, Long.BYTES);
  }

  /** Return the block that the last failed check was about. */
  long failedLba() {
    return failedLba;
  }

  /** Carry out a read; returns a status code. */
  int read(Namespace namespace, BlockCommand command) {
    long bad = namespace.firstUncorrectable(command.lba, command.blocks);
    if (bad >= 0) {
      failedLba = bad;
      return StatusCode.UNRECOVERED_READ_ERROR;
    }
    if (namespace.metadata == null) {
      return readPlain(namespace.data, command.lba << namespace.blockShift, command.blocks << namespace.blockShift);
    }
    arrange(namespace, command);
    int status = StatusCode.SUCCESS;
    for (long done = 0; done < command.blocks && status == StatusCode.SUCCESS; done += batch) {
      int count = (int) Math.min(batch, command.blocks - done);
      load(namespace, command.lba + done, count, stage);
      status = check(namespace, command, done, count);
      if (status == StatusCode.SUCCESS) {
        status = data.toHost(stage, 0, count * dataStride);
      }
      if (status == StatusCode.SUCCESS && command.metadataLength(namespace) != 0) {
        status = metadata.toHost(stage, metadataBase, count * metadataStride);
      }
    }
    return status;
  }

  /** Carry out a write; returns a status code. On failure some blocks may have been written. */
  int write(Namespace namespace, BlockCommand command) {
    namespace.beforeWrite(command.lba, command.blocks);
    if (namespace.metadata == null) {
      return writePlain(namespace.data, command.lba << namespace.blockShift, command.blocks << namespace.blockShift);
    }
    arrange(namespace, command);
    int status = StatusCode.SUCCESS;
    for (long done = 0; done < command.blocks && status == StatusCode.SUCCESS; done += batch) {
      int count = (int) Math.min(batch, command.blocks - done);
      status = fetch(namespace, command, done, count);
      if (status == StatusCode.SUCCESS) {
        store(namespace, command.lba + done, count);
      }
    }
    return status;
  }

  /** Compare the host's blocks with the medium's; returns a status code. */
  int compare(Namespace namespace, BlockCommand command) {
    long bad = namespace.firstUncorrectable(command.lba, command.blocks);
    if (bad >= 0) {
      failedLba = bad;
      return StatusCode.UNRECOVERED_READ_ERROR;
    }
    arrange(namespace, command);
    int status = StatusCode.SUCCESS;
    for (long done = 0; done < command.blocks && status == StatusCode.SUCCESS; done += batch) {
      int count = (int) Math.min(batch, command.blocks - done);
      status = fetch(namespace, command, done, count);
      if (status == StatusCode.SUCCESS) {
        load(namespace, command.lba + done, count, other);
        boolean equal = isEqual(0, count * dataStride);
        if (command.metadataLength(namespace) != 0) {
          equal &= isEqual(metadataBase, count * metadataStride);
        }
        failedLba = command.lba + done;
        status = equal ? StatusCode.SUCCESS : StatusCode.COMPARE_FAILURE;
      }
    }
    return status;
  }

  /** Read blocks and check them, without moving them; returns a status code. */
  int verify(Namespace namespace, BlockCommand command) {
    long bad = namespace.firstUncorrectable(command.lba, command.blocks);
    if (bad >= 0) {
      failedLba = bad;
      return StatusCode.UNRECOVERED_READ_ERROR;
    }
    if (namespace.metadata == null) {
      return StatusCode.SUCCESS;
    }
    arrange(namespace, command);
    int status = StatusCode.SUCCESS;
    for (long done = 0; done < command.blocks && status == StatusCode.SUCCESS; done += batch) {
      int count = (int) Math.min(batch, command.blocks - done);
      load(namespace, command.lba + done, count, stage);
      status = check(namespace, command, done, count);
    }
    return status;
  }

  /** Write zeroes; with protection information made by the controller if the command asks for that, else zero as well. */
  void writeZeroes(Namespace namespace, BlockCommand command) {
    namespace.beforeWrite(command.lba, command.blocks);
    if (namespace.metadata == null) {
      namespace.data.clear(command.lba << namespace.blockShift, command.blocks << namespace.blockShift);
      return;
    }
    arrange(namespace, command);
    for (long done = 0; done < command.blocks; done += batch) {
      int count = (int) Math.min(batch, command.blocks - done);
      stage.fill((byte) 0);
      if (command.inserts) {
        generate(namespace, command, done, count);
      }
      store(namespace, command.lba + done, count);
    }
  }

  private int readPlain(BlockStore store, long offset, long length) {
    long at = offset;
    long left = length;
    int status = StatusCode.SUCCESS;
    while (left > 0 && status == StatusCode.SUCCESS) {
      long run = Math.min(left, store.run(at));
      status = data.toHost(store.readable(at), store.offsetInSegment(at), run);
      at += run;
      left -= run;
    }
    return status;
  }

  private int writePlain(BlockStore store, long offset, long length) {
    long at = offset;
    long left = length;
    int status = StatusCode.SUCCESS;
    while (left > 0 && status == StatusCode.SUCCESS) {
      long run = Math.min(left, store.run(at));
      status = data.fromHost(store.writable(at), store.offsetInSegment(at), run);
      at += run;
      left -= run;
    }
    return status;
  }

  /** Decide how blocks stand in the stage: interleaved if the host's data is, else metadata behind all data. */
  private void arrange(Namespace namespace, BlockCommand command) {
    int blockSize = namespace.config.blockSize();
    int metadataSize = namespace.metadataSize;
    batch = Math.max(1, STAGE / (blockSize + metadataSize));
    if (namespace.config.extended() && !command.keepsMetadata(namespace)) {
      dataStride = (long) blockSize + metadataSize;
      metadataBase = blockSize;
      metadataStride = dataStride;
    } else {
      dataStride = blockSize;
      metadataBase = (long) batch * blockSize;
      metadataStride = metadataSize;
    }
  }

  /** Bring blocks from the host into the stage, with protection information checked or made. */
  private int fetch(Namespace namespace, BlockCommand command, long done, int count) {
    int status = data.fromHost(stage, 0, count * dataStride);
    if (status == StatusCode.SUCCESS && command.metadataLength(namespace) != 0) {
      status = metadata.fromHost(stage, metadataBase, count * metadataStride);
    }
    if (status != StatusCode.SUCCESS) {
      return status;
    }
    if (command.inserts) {
      generate(namespace, command, done, count);
      return StatusCode.SUCCESS;
    }
    return check(namespace, command, done, count);
  }

  private void generate(Namespace namespace, BlockCommand command, long done, int count) {
    ProtectionFormat format = namespace.protection;
    if (format == null) {
      return;
    }
    for (int i = 0; i < count; i++) {
      ProtectionInformation.generate(
          format,
          stage,
          i * dataStride,
          stage,
          metadataBase + i * metadataStride,
          command.applicationTag,
          format.referenceTag(command.referenceTag, done + i));
    }
  }

  private int check(Namespace namespace, BlockCommand command, long done, int count) {
    ProtectionFormat format = namespace.protection;
    if (format == null || command.checks == 0) {
      return StatusCode.SUCCESS;
    }
    for (int i = 0; i < count; i++) {
      int failed =
          ProtectionInformation.verify(
              format,
              stage,
              i * dataStride,
              stage,
              metadataBase + i * metadataStride,
              command.checks,
              command.applicationTag,
              command.applicationMask,
              format.referenceTag(command.referenceTag, done + i));
      if (failed != 0) {
        failedLba = command.lba + done + i;
        return switch (failed) {
          case ProtectionInformation.CHECK_GUARD -> StatusCode.GUARD_CHECK_ERROR;
          case ProtectionInformation.CHECK_APPLICATION -> StatusCode.APPLICATION_TAG_CHECK_ERROR;
          default -> StatusCode.REFERENCE_TAG_CHECK_ERROR;
        };
      }
    }
    return StatusCode.SUCCESS;
  }

  private boolean isEqual(long offset, long length) {
    return MemorySegment.mismatch(stage, offset, offset + length, other, offset, offset + length) < 0;
  }

  private void load(Namespace namespace, long lba, int count, MemorySegment target) {
    int blockSize = namespace.config.blockSize();
    for (int i = 0; i < count; i++) {
      copyFrom(namespace.data, (lba + i) << namespace.blockShift, target, i * dataStride, blockSize);
      if (namespace.metadata != null) {
        copyFrom(
            namespace.metadata,
            (lba + i) * namespace.metadataSize,
            target,
            metadataBase + i * metadataStride,
            namespace.metadataSize);
      }
    }
  }

  private void store(Namespace namespace, long lba, int count) {
    int blockSize = namespace.config.blockSize();
    for (int i = 0; i < count; i++) {
      copyTo(namespace.data, (lba + i) << namespace.blockShift, i * dataStride, blockSize);
      if (namespace.metadata != null) {
        copyTo(
            namespace.metadata, (lba + i) * namespace.metadataSize, metadataBase + i * metadataStride, namespace.metadataSize);
      }
    }
  }

  static void copyFrom(BlockStore from, long offset, MemorySegment target, long targetOffset, long length) {
    for (long done = 0; done < length; ) {
      long run = Math.min(length - done, from.run(offset + done));
      MemorySegment.copy(
          from.readable(offset + done), from.offsetInSegment(offset + done), target, targetOffset + done, run);
      done += run;
    }
  }

  private void copyTo(BlockStore to, long offset, long stageOffset, long length) {
    for (long done = 0; done < length; ) {
      long run = Math.min(length - done, to.run(offset + done));
      MemorySegment.copy(stage, stageOffset + done, to.writable(offset + done), to.offsetInSegment(offset + done), run);
      done += run;
    }
  }
}
