package io.twostep.device.nvme.wire;

/**
 * Place what abort adds to the submission queue entry (Base 5.1).
 *
 * <pre>
 *     31      16 15     0
 * 40 |   CID    | SQID  |
 * </pre>
 */
public final class AbortCommandLayout {
  /** Submission queue of the command to abort. */
  public static final U16 SQ_ID = new U16(40);

  /** Command to abort. */
  public static final U16 COMMAND_ID = new U16(42);

  /** In dword 0 of the completion: the command was not aborted. */
  public static final Bits NOT_ABORTED = Bits.bit(0);

  private AbortCommandLayout() {}
}
