package io.twostep.device.nvme.wire;

/** Name the features in use and the bits of their words (Base 5.27.1). */
public final class FeatureId {
  /** Arbitration. */
  public static final int ARBITRATION = 0x01;

  /** Power management. */
  public static final int POWER_MANAGEMENT = 0x02;

  /** Temperature threshold. */
  public static final int TEMPERATURE_THRESHOLD = 0x04;

  /** Error recovery. */
  public static final int ERROR_RECOVERY = 0x05;

  /** Volatile write cache. */
  public static final int VOLATILE_WRITE_CACHE = 0x06;

  /** Number of queues. */
  public static final int NUMBER_OF_QUEUES = 0x07;

  /** Interrupt coalescing. */
  public static final int INTERRUPT_COALESCING = 0x08;

  /** Interrupt vector configuration. */
  public static final int INTERRUPT_VECTOR_CONFIGURATION = 0x09;

  /** Write atomicity. */
  public static final int WRITE_ATOMICITY = 0x0a;

  /** Asynchronous event configuration: bits of {@link AsyncEventLayout}. */
  public static final int ASYNC_EVENT_CONFIGURATION = 0x0b;

  /** Host memory buffer: {@link HostMemoryBufferLayout}. */
  public static final int HOST_MEMORY_BUFFER = 0x0d;

  /** Timestamp. */
  public static final int TIMESTAMP = 0x0e;

  /** Host behaviour support: a buffer of 512 bytes whose byte 0 is ACRE. */
  public static final int HOST_BEHAVIOUR = 0x16;

  /** In the word of {@link #VOLATILE_WRITE_CACHE}: enabled. */
  public static final Bits WRITE_CACHE_ENABLE = Bits.bit(0);

  /** In word and result of {@link #NUMBER_OF_QUEUES}: submission queues, less one. */
  public static final Bits SUBMISSION_QUEUES = new Bits(15, 0);

  /** In word and result of {@link #NUMBER_OF_QUEUES}: completion queues, less one. */
  public static final Bits COMPLETION_QUEUES = new Bits(31, 16);

  /** In the word of {@link #INTERRUPT_COALESCING}: aggregation threshold in entries, zero-based. */
  public static final Bits COALESCING_THRESHOLD = new Bits(7, 0);

  /** In the word of {@link #INTERRUPT_COALESCING}: aggregation time in units of 100 us. */
  public static final Bits COALESCING_TIME = new Bits(15, 8);

  /** In the word of {@link #INTERRUPT_VECTOR_CONFIGURATION}: the vector. */
  public static final Bits VECTOR = new Bits(15, 0);

  /** In the word of {@link #INTERRUPT_VECTOR_CONFIGURATION}: coalescing disabled. */
  public static final Bits COALESCING_DISABLE = Bits.bit(16);

  private FeatureId() {}
}
