package io.twostep.device.nvme.wire;

/** Name the admin commands (Base 5). */
public final class AdminOpcode {
  /** Delete I/O submission queue. */
  public static final int DELETE_SUBMISSION_QUEUE = 0x00;

  /** Create I/O submission queue: {@link QueueCommandLayout}. */
  public static final int CREATE_SUBMISSION_QUEUE = 0x01;

  /** Get log page: {@link LogPageCommandLayout}. */
  public static final int GET_LOG_PAGE = 0x02;

  /** Delete I/O completion queue. */
  public static final int DELETE_COMPLETION_QUEUE = 0x04;

  /** Create I/O completion queue: {@link QueueCommandLayout}. */
  public static final int CREATE_COMPLETION_QUEUE = 0x05;

  /** Identify: {@link IdentifyCommandLayout}. */
  public static final int IDENTIFY = 0x06;

  /** Abort: {@link AbortCommandLayout}. */
  public static final int ABORT = 0x08;

  /** Set features: {@link FeatureCommandLayout}. */
  public static final int SET_FEATURES = 0x09;

  /** Get features: {@link FeatureCommandLayout}. */
  public static final int GET_FEATURES = 0x0a;

  /** Asynchronous event request: {@link AsyncEventLayout}. */
  public static final int ASYNC_EVENT_REQUEST = 0x0c;

  /** Keep alive. */
  public static final int KEEP_ALIVE = 0x18;

  /** Doorbell buffer config: PRP1 shadow doorbells, PRP2 event indexes; {@link ShadowDoorbellLayout}. */
  public static final int DOORBELL_BUFFER_CONFIG = 0x7c;

  /** Format NVM. */
  public static final int FORMAT_NVM = 0x80;

  private AdminOpcode() {}
}
