package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.wire.DsmCommandLayout;
import io.twostep.device.nvme.wire.DsmRangeLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Carries out the I/O commands of the NVM command set (NVM 3.2). */
final class IoCommands {
  private static final CmbUse TO_HOST = CmbUse.READ_DATA;
  private static final CmbUse FROM_HOST = CmbUse.WRITE_DATA;

  private final NvmeModelConfig config;
  private final Namespace[] namespaces;
  private final DataPointers pointers;
  private final RunList data;
  private final RunList metadata;
  private final BlockPath path;
  private final Features features;
  private final Health health;
  private final HostBuffer hostBuffer;
  private final BlockCommand command = new BlockCommand();
  private final MemorySegment ranges;
  private final boolean hasCompare;
  private final boolean hasWriteUncorrectable;
  private final boolean hasDatasetManagement;
  private final boolean hasWriteZeroes;
  private final boolean hasVerify;

  private long failedLba;

  IoCommands(
      Arena arena,
      NvmeModelConfig config,
      Namespace[] namespaces,
      DataPointers pointers,
      HostMemory memory,
      Features features,
      Health health,
      HostBuffer hostBuffer) {
    this.config = config;
    this.namespaces = namespaces;
    this.pointers = pointers;
    this.features = features;
    this.health = health;
    this.hostBuffer = hostBuffer;
    data = new RunList(memory);
    metadata = new RunList(memory);
    path = new BlockPath(arena, data, metadata);
    ranges = arena.allocate(DsmRangeLayout.BUFFER_SIZE, Long.BYTES);
    hasCompare = config.commands().contains(OptionalCommand.COMPARE);
    hasWriteUncorrectable = config.commands().contains(OptionalCommand.WRITE_UNCORRECTABLE);
    hasDatasetManagement = config.commands().contains(OptionalCommand.DATASET_MANAGEMENT);
    hasWriteZeroes = config.commands().contains(OptionalCommand.WRITE_ZEROES);
    hasVerify = config.commands().contains(OptionalCommand.VERIFY);
  }

  /** Return the block that the last failed command failed at. */
  long failedLba() {
    return failedLba;
  }

  /** Carry out the command at {@code base}; returns a status code. */
  int execute(MemorySegment sqe, long base) {
    int opcode = SqeLayout.OPCODE.get(sqe, base);
    failedLba = 0;
    if (SqeLayout.FUSE.get(SqeLayout.FLAGS.get(sqe, base)) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    if (!isSupported(opcode)) {
      return StatusCode.INVALID_OPCODE;
    }
    int nsid = SqeLayout.NSID.get(sqe, base);
    if (opcode == NvmOpcode.FLUSH && nsid == SqeLayout.NSID_ALL) {
      return flushAll();
    }
    Namespace namespace = find(nsid);
    if (namespace == null) {
      return StatusCode.INVALID_NAMESPACE_OR_FORMAT;
    }
    if (opcode == NvmOpcode.FLUSH) {
      namespace.flush();
      return StatusCode.SUCCESS;
    }
    if (changesMedium(opcode) && namespace.config.readOnly()) {
      return StatusCode.NAMESPACE_WRITE_PROTECTED;
    }
    return opcode == NvmOpcode.DATASET_MANAGEMENT
        ? manage(namespace, sqe, base)
        : executeOnBlocks(namespace, opcode, sqe, base);
  }

  private int executeOnBlocks(Namespace namespace, int opcode, MemorySegment sqe, long base) {
    int status = command.load(sqe, base, namespace);
    if (status == StatusCode.SUCCESS) {
      status = checkLength(namespace, opcode);
    }
    if (status == StatusCode.SUCCESS && movesData(opcode)) {
      status = parse(namespace, opcode == NvmOpcode.READ ? TO_HOST : FROM_HOST, sqe, base);
    }
    if (status != StatusCode.SUCCESS) {
      failedLba = command.lba;
      return status;
    }
    if (hostBuffer.isEnabled() && readsMedium(opcode) && !hostBuffer.agrees(namespace, command.lba, command.blocks)) {
      return StatusCode.INTERNAL_ERROR;
    }
    status = move(namespace, opcode);
    if ((command.forced || !features.isCacheEnabled()) && changesMedium(opcode) && status == StatusCode.SUCCESS) {
      namespace.settle(command.lba, command.blocks);
    }
    // Also after a failure: part of it may have been written.
    if (hostBuffer.isEnabled() || changesMedium(opcode)) {
      hostBuffer.update(namespace, command.lba, command.blocks);
    }
    count(namespace, opcode, status);
    return status;
  }

  /** Carry out a command whose pointers were parsed; returns a status code. */
  private int move(Namespace namespace, int opcode) {
    try {
      return switch (opcode) {
        case NvmOpcode.READ -> path.read(namespace, command);
        case NvmOpcode.WRITE -> path.write(namespace, command);
        case NvmOpcode.COMPARE -> path.compare(namespace, command);
        case NvmOpcode.VERIFY -> path.verify(namespace, command);
        case NvmOpcode.WRITE_ZEROES -> writeZeroes(namespace);
        default -> writeUncorrectable(namespace);
      };
    } catch (InternalError e) {
      // The JVM's word for a mapped file that has no room for the page, or no such page any more.
      return changesMedium(opcode) ? StatusCode.CAPACITY_EXCEEDED : StatusCode.UNRECOVERED_READ_ERROR;
    }
  }

  private int parse(Namespace namespace, CmbUse use, MemorySegment sqe, long base) {
    int status = pointers.parse(sqe, base, command.dataLength(namespace), use, data);
    long metadataLength = command.metadataLength(namespace);
    if (status == StatusCode.SUCCESS && metadataLength != 0) {
      status = pointers.parseMetadata(sqe, base, metadataLength, use, metadata);
    }
    return status;
  }

  private int checkLength(Namespace namespace, int opcode) {
    int limit =
        switch (opcode) {
          case NvmOpcode.WRITE_ZEROES -> config.writeZeroesLimit();
          case NvmOpcode.VERIFY -> config.verifyLimit();
          case NvmOpcode.WRITE_UNCORRECTABLE -> 0;
          default -> config.mdts();
        };
    boolean tooLong = limit != 0 && command.dataLength(namespace) > (long) config.pageSizeMin() << limit;
    return tooLong ? StatusCode.INVALID_FIELD : StatusCode.SUCCESS;
  }

  private int writeZeroes(Namespace namespace) {
    path.writeZeroes(namespace, command);
    return StatusCode.SUCCESS;
  }

  private int writeUncorrectable(Namespace namespace) {
    namespace.markUncorrectable(command.lba, command.blocks);
    return StatusCode.SUCCESS;
  }

  private int flushAll() {
    for (Namespace namespace : namespaces) {
      namespace.flush();
    }
    return StatusCode.SUCCESS;
  }

  private int manage(Namespace namespace, MemorySegment sqe, long base) {
    int count = DsmCommandLayout.NUMBER_OF_RANGES.get(sqe, base) + 1;
    if (config.dsmRanges() != 0 && count > config.dsmRanges()) {
      return StatusCode.COMMAND_SIZE_LIMIT_EXCEEDED;
    }
    long bytes = config.dsmReadsWholeBuffer() ? DsmRangeLayout.BUFFER_SIZE : (long) count * DsmRangeLayout.SIZE;
    int status = pointers.parse(sqe, base, bytes, FROM_HOST, data);
    if (status == StatusCode.SUCCESS) {
      status = data.fromHost(ranges, 0, bytes);
    }
    if (status == StatusCode.SUCCESS) {
      status = checkRanges(namespace, count);
    }
    if (status != StatusCode.SUCCESS || !DsmCommandLayout.DEALLOCATE.isSet(DsmCommandLayout.ATTRIBUTES.get(sqe, base))) {
      return status;
    }
    try {
      deallocate(namespace, count);
      return StatusCode.SUCCESS;
    } catch (InternalError e) {
      // As in move.
      return StatusCode.CAPACITY_EXCEEDED;
    }
  }

  private void deallocate(Namespace namespace, int count) {
    for (int i = 0; i < count; i++) {
      long range = (long) i * DsmRangeLayout.SIZE;
      long blocks = DsmRangeLayout.NLB.getUnsigned(ranges, range);
      if (blocks != 0) {
        namespace.deallocate(DsmRangeLayout.SLBA.get(ranges, range), blocks);
        hostBuffer.update(namespace, DsmRangeLayout.SLBA.get(ranges, range), blocks);
      }
    }
  }

  private int checkRanges(Namespace namespace, int count) {
    for (int i = 0; i < count; i++) {
      long range = (long) i * DsmRangeLayout.SIZE;
      long blocks = DsmRangeLayout.NLB.getUnsigned(ranges, range);
      if (config.dsmRangeBlocks() != 0 && blocks > config.dsmRangeBlocks()) {
        return StatusCode.COMMAND_SIZE_LIMIT_EXCEEDED;
      }
      if (blocks != 0 && !namespace.contains(DsmRangeLayout.SLBA.get(ranges, range), blocks)) {
        failedLba = DsmRangeLayout.SLBA.get(ranges, range);
        return StatusCode.LBA_OUT_OF_RANGE;
      }
    }
    return StatusCode.SUCCESS;
  }

  private void count(Namespace namespace, int opcode, int status) {
    if (status != StatusCode.SUCCESS) {
      failedLba = path.failedLba();
      if (status >= StatusCode.WRITE_FAULT && status <= StatusCode.REFERENCE_TAG_CHECK_ERROR) {
        health.mediaErrors++;
      }
      return;
    }
    switch (opcode) {
      case NvmOpcode.READ, NvmOpcode.COMPARE -> {
        health.readCommands++;
        health.bytesRead += command.blocks << namespace.blockShift;
      }
      case NvmOpcode.WRITE -> {
        health.writeCommands++;
        health.bytesWritten += command.blocks << namespace.blockShift;
      }
      default -> {}
    }
  }

  private boolean isSupported(int opcode) {
    return switch (opcode) {
      case NvmOpcode.FLUSH, NvmOpcode.READ, NvmOpcode.WRITE -> true;
      case NvmOpcode.COMPARE -> hasCompare;
      case NvmOpcode.WRITE_UNCORRECTABLE -> hasWriteUncorrectable;
      case NvmOpcode.DATASET_MANAGEMENT -> hasDatasetManagement;
      case NvmOpcode.WRITE_ZEROES -> hasWriteZeroes;
      case NvmOpcode.VERIFY -> hasVerify;
      default -> false;
    };
  }

  private static boolean changesMedium(int opcode) {
    return switch (opcode) {
      case NvmOpcode.WRITE, NvmOpcode.WRITE_UNCORRECTABLE, NvmOpcode.WRITE_ZEROES, NvmOpcode.DATASET_MANAGEMENT -> true;
      default -> false;
    };
  }

  private static boolean readsMedium(int opcode) {
    return opcode == NvmOpcode.READ || opcode == NvmOpcode.COMPARE || opcode == NvmOpcode.VERIFY;
  }

  private static boolean movesData(int opcode) {
    return opcode == NvmOpcode.READ || opcode == NvmOpcode.WRITE || opcode == NvmOpcode.COMPARE;
  }

  private @Nullable Namespace find(int nsid) {
    return nsid > 0 && nsid <= namespaces.length ? namespaces[nsid - 1] : null;
  }
}
