package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Carries out the admin commands that complete at once (Base 5); what must wait is the command loop's. */
final class AdminCommands {
  private static final int PAGE = IdentifyCommandLayout.DATA_SIZE;

  private final NvmeModelConfig config;
  private final QueueSet queues;
  private final DataPointers pointers;
  private final IdentifyPages identify;
  private final Features features;
  private final LogPages logs;
  private final ShadowDoorbells shadows;
  private final HostBuffer hostBuffer;
  private final RunList runs;
  private final MemorySegment page;
  private long result;

  AdminCommands(
      Arena arena,
      NvmeModelConfig config,
      HostMemory memory,
      QueueSet queues,
      DataPointers pointers,
      IdentifyPages identify,
      Features features,
      LogPages logs,
      ShadowDoorbells shadows,
      HostBuffer hostBuffer) {
    this.config = config;
    this.queues = queues;
    this.pointers = pointers;
    this.identify = identify;
    this.features = features;
    this.logs = logs;
    this.shadows = shadows;
    this.hostBuffer = hostBuffer;
    runs = new RunList(memory);
    page = arena.allocate(PAGE, Long.BYTES);
  }

  /** Return the result of the last command, for its completion. */
  long result() {
    return result;
  }

  /** Carry out the command at {@code base}; returns a status code. */
  int execute(MemorySegment sqe, long base, int cc) {
    result = 0;
    int opcode = SqeLayout.OPCODE.get(sqe, base);
    if (SqeLayout.FUSE.get(SqeLayout.FLAGS.get(sqe, base)) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    return switch (opcode) {
      case AdminOpcode.IDENTIFY -> identify(sqe, base);
      case AdminOpcode.CREATE_COMPLETION_QUEUE -> queues.createCompletion(sqe, base, cc, pointers.pageSize());
      case AdminOpcode.CREATE_SUBMISSION_QUEUE -> queues.createSubmission(sqe, base, cc, pointers.pageSize());
      case AdminOpcode.DELETE_COMPLETION_QUEUE -> queues.deleteCompletion(QueueCommandLayout.QUEUE_ID.get(sqe, base));
      case AdminOpcode.GET_FEATURES -> getFeatures(sqe, base);
      case AdminOpcode.SET_FEATURES -> setFeatures(sqe, base);
      case AdminOpcode.GET_LOG_PAGE -> getLogPage(sqe, base);
      case AdminOpcode.DOORBELL_BUFFER_CONFIG -> configureDoorbells(sqe, base);
      default -> StatusCode.INVALID_OPCODE;
    };
  }

  private int identify(MemorySegment sqe, long base) {
    page.fill((byte) 0);
    int status =
        identify.write(
            IdentifyCommandLayout.CNS.get(sqe, base),
            IdentifyCommandLayout.CSI.get(sqe, base),
            SqeLayout.NSID.get(sqe, base),
            page);
    return status == StatusCode.SUCCESS ? send(sqe, base, page, 0, PAGE) : status;
  }

  private int getFeatures(MemorySegment sqe, long base) {
    int status =
        features.get(FeatureCommandLayout.CDW10.get(sqe, base), FeatureCommandLayout.CDW11.get(sqe, base));
    result = features.result();
    return status;
  }

  private int setFeatures(MemorySegment sqe, long base) {
    int word = FeatureCommandLayout.CDW10.get(sqe, base);
    int status = features.set(word, FeatureCommandLayout.CDW11.get(sqe, base));
    if (status == StatusCode.SUCCESS && FeatureCommandLayout.FID.get(word) == FeatureId.HOST_MEMORY_BUFFER) {
      status = hostBuffer.set(sqe, base, pointers.pageSize());
    }
    result = features.result();
    return status;
  }

  private int getLogPage(MemorySegment sqe, long base) {
    long dwords =
        ((long) LogPageCommandLayout.NUMDU.get(sqe, base) << 16) + LogPageCommandLayout.NUMDL.get(sqe, base) + 1;
    long length = dwords * Integer.BYTES;
    long offset = LogPageCommandLayout.LPO.get(sqe, base);
    int id = LogPageCommandLayout.LID.get(sqe, base);
    page.fill((byte) 0);
    int size = logs.write(id, page);
    if (size < 0) {
      return StatusCode.INVALID_LOG_PAGE;
    }
    if ((offset & 3) != 0 || Long.compareUnsigned(offset, size) > 0 || length > PAGE - offset) {
      return StatusCode.INVALID_FIELD;
    }
    int status = send(sqe, base, page, offset, length);
    if (status == StatusCode.SUCCESS && !LogPageCommandLayout.RAE.isSet(LogPageCommandLayout.LSP.get(sqe, base))) {
      logs.wasRead(id);
    }
    return status;
  }

  private int configureDoorbells(MemorySegment sqe, long base) {
    if (!config.shadowDoorbells()) {
      return StatusCode.INVALID_OPCODE;
    }
    long shadow = SqeLayout.PRP1.get(sqe, base);
    long event = SqeLayout.PRP2.get(sqe, base);
    if (shadow == 0 || event == 0 || ((shadow | event) & (pointers.pageSize() - 1)) != 0) {
      return StatusCode.INVALID_FIELD;
    }
    shadows.enable(shadow, event);
    return StatusCode.SUCCESS;
  }

  private int send(MemorySegment sqe, long base, MemorySegment source, long offset, long length) {
    int status = pointers.parseAdmin(sqe, base, length, CmbUse.READ_DATA, runs);
    return status == StatusCode.SUCCESS ? runs.toHost(source, offset, length) : status;
  }
}
