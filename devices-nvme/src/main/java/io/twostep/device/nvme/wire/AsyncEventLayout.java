package io.twostep.device.nvme.wire;

/**
 * Name the bits of an asynchronous event: dword 0 of the completion of an asynchronous event request (Base 5.2).
 *
 * <pre>
 * 31 24 23     16 15   8 7 3 2    0
 * | rsv |log page| info |rsv| type |
 * </pre>
 *
 * <p>After an event its type is masked until its log page is read without the retain bit.
 */
public final class AsyncEventLayout {
  /** One of the {@code TYPE_} values. */
  public static final Bits TYPE = new Bits(2, 0);

  /** What happened, by type. */
  public static final Bits INFORMATION = new Bits(15, 8);

  /** Log page to read. */
  public static final Bits LOG_PAGE = new Bits(23, 16);

  /** An error that no command's completion reports. */
  public static final int TYPE_ERROR = 0;

  /** Health. */
  public static final int TYPE_HEALTH = 1;

  /** A notice. */
  public static final int TYPE_NOTICE = 2;

  /** Error: write to a doorbell that belongs to no queue. */
  public static final int ERROR_INVALID_DOORBELL_REGISTER = 0;

  /** Error: a doorbell was given an index that it cannot take. */
  public static final int ERROR_INVALID_DOORBELL_VALUE = 1;

  /** Error: diagnostic failure. */
  public static final int ERROR_DIAGNOSTIC = 2;

  /** Error: persistent internal error. */
  public static final int ERROR_PERSISTENT_INTERNAL = 3;

  /** Error: transient internal error. */
  public static final int ERROR_TRANSIENT_INTERNAL = 4;

  /** Notice: attributes of a namespace changed. */
  public static final int NOTICE_NAMESPACE_CHANGED = 0;

  /** In the configuration feature: namespace attribute notices enabled. */
  public static final Bits CONFIGURE_NAMESPACE_NOTICES = Bits.bit(8);

  private AsyncEventLayout() {}
}
