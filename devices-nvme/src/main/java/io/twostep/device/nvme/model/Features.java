package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.HostMemoryBufferLayout;
import io.twostep.device.nvme.wire.StatusCode;

/** The features of the model (Base 5.27): words that are kept, and words that do something. */
final class Features {
  private static final int CHANGEABLE = 1 << 2;
  private static final int REFUSED_QUEUES = 0xffff;

  private final NvmeModelConfig config;
  private final QueueSet queues;
  private final Completer completer;
  private final HostBuffer hostBuffer;
  private final int[] words = new int[256];
  private long result;

  Features(NvmeModelConfig config, QueueSet queues, Completer completer, HostBuffer hostBuffer) {
    this.hostBuffer = hostBuffer;
    this.config = config;
    this.queues = queues;
    this.completer = completer;
    reset();
  }

  /** Set everything to its default. */
  void reset() {
    for (int id = 0; id < words.length; id++) {
      words[id] = initial(id);
    }
  }

  /** Return dword 0 of the last command's completion. */
  long result() {
    return result;
  }

  /** Tell whether the volatile write cache is in use. */
  boolean isCacheEnabled() {
    return FeatureId.WRITE_CACHE_ENABLE.isSet(words[FeatureId.VOLATILE_WRITE_CACHE]);
  }

  /** Tell whether the host asked for notices of this kind. */
  boolean isNoticed(int information) {
    return information == AsyncEventLayout.NOTICE_NAMESPACE_CHANGED
        && AsyncEventLayout.CONFIGURE_NAMESPACE_NOTICES.isSet(words[FeatureId.ASYNC_EVENT_CONFIGURATION]);
  }

  private int initial(int id) {
    return switch (id) {
      case FeatureId.VOLATILE_WRITE_CACHE -> config.writeCache() ? 1 : 0;
      case FeatureId.ARBITRATION -> 3;
      default -> 0;
    };
  }

  /** Carry out get features; returns a status code. */
  int get(int cdw10, int cdw11) {
    int id = FeatureCommandLayout.FID.get(cdw10);
    int select = FeatureCommandLayout.SEL.get(cdw10);
    result = 0;
    if (!isKnown(id)) {
      return StatusCode.INVALID_FIELD;
    }
    if (select == FeatureCommandLayout.SELECT_CAPABILITIES) {
      result = CHANGEABLE;
      return StatusCode.SUCCESS;
    }
    if (select > FeatureCommandLayout.SELECT_SAVED) {
      return StatusCode.INVALID_FIELD;
    }
    boolean current = select == FeatureCommandLayout.SELECT_CURRENT;
    return switch (id) {
      case FeatureId.NUMBER_OF_QUEUES -> answer(grantedWord(current ? queues.granted() : config.ioQueues()));
      case FeatureId.INTERRUPT_COALESCING -> answer(current ? completer.coalescing() : 0);
      case FeatureId.INTERRUPT_VECTOR_CONFIGURATION -> getVector(cdw11);
      case FeatureId.HOST_MEMORY_BUFFER -> answer(current && hostBuffer.isEnabled() ? HostMemoryBufferLayout.ENABLE.with(0, 1) : 0);
      default -> answer(current ? words[id] : initial(id));
    };
  }

  /** Carry out set features; returns a status code. */
  int set(int cdw10, int cdw11) {
    int id = FeatureCommandLayout.FID.get(cdw10);
    result = 0;
    if (!isKnown(id)) {
      return StatusCode.INVALID_FIELD;
    }
    if (FeatureCommandLayout.SV.isSet(cdw10)) {
      return StatusCode.FEATURE_NOT_SAVEABLE;
    }
    switch (id) {
      case FeatureId.NUMBER_OF_QUEUES -> {
        return setQueues(cdw11);
      }
      case FeatureId.INTERRUPT_COALESCING -> completer.setCoalescing(cdw11);
      case FeatureId.INTERRUPT_VECTOR_CONFIGURATION -> {
        return setVector(cdw11);
      }
      case FeatureId.HOST_MEMORY_BUFFER -> {
        return StatusCode.SUCCESS;
      }
      default -> words[id] = cdw11;
    }
    return StatusCode.SUCCESS;
  }

  private int setQueues(int word) {
    int submissions = FeatureId.SUBMISSION_QUEUES.get(word);
    int completions = FeatureId.COMPLETION_QUEUES.get(word);
    if (submissions == REFUSED_QUEUES || completions == REFUSED_QUEUES) {
      return StatusCode.INVALID_FIELD;
    }
    if (!queues.grant(Math.max(submissions, completions) + 1)) {
      return StatusCode.COMMAND_SEQUENCE_ERROR;
    }
    return answer(grantedWord(queues.granted()));
  }

  private int getVector(int word) {
    int vector = FeatureId.VECTOR.get(word);
    if (vector >= config.vectors()) {
      return StatusCode.INVALID_FIELD;
    }
    return answer(FeatureId.COALESCING_DISABLE.with(vector, completer.isCoalescingDisabled(vector) ? 1 : 0));
  }

  private int setVector(int word) {
    int vector = FeatureId.VECTOR.get(word);
    if (vector >= config.vectors()) {
      return StatusCode.INVALID_FIELD;
    }
    completer.setCoalescingDisabled(vector, FeatureId.COALESCING_DISABLE.isSet(word));
    return StatusCode.SUCCESS;
  }

  private int answer(int word) {
    result = Integer.toUnsignedLong(word);
    return StatusCode.SUCCESS;
  }

  private static int grantedWord(int queues) {
    return FeatureId.COMPLETION_QUEUES.with(FeatureId.SUBMISSION_QUEUES.with(0, queues - 1), queues - 1);
  }

  private boolean isKnown(int id) {
    return switch (id) {
      case FeatureId.ARBITRATION,
          FeatureId.POWER_MANAGEMENT,
          FeatureId.TEMPERATURE_THRESHOLD,
          FeatureId.ERROR_RECOVERY,
          FeatureId.NUMBER_OF_QUEUES,
          FeatureId.INTERRUPT_COALESCING,
          FeatureId.INTERRUPT_VECTOR_CONFIGURATION,
          FeatureId.WRITE_ATOMICITY,
          FeatureId.ASYNC_EVENT_CONFIGURATION ->
          true;
      case FeatureId.VOLATILE_WRITE_CACHE -> config.writeCache();
      case FeatureId.HOST_MEMORY_BUFFER -> config.hmbPreferred() != 0;
      default -> false;
    };
  }
}
