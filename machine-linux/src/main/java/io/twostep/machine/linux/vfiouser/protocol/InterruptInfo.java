package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * What a kind of interrupts is; command and reply of DEVICE_GET_IRQ_INFO.
 *
 * <pre>
 *   0 u32 argsz   4 u32 flags   8 u32 index   12 u32 count
 * </pre>
 *
 * @param flags {@link #EVENTFD} and others
 * @param index the kind, such as {@link #MSIX}
 * @param count how many vectors there are
 */
public record InterruptInfo(int flags, int index, int count) {
  /** Bytes of the structure. */
  public static final int SIZE = 16;

  /** They can be signalled by eventfd. */
  public static final int EVENTFD = 1;

  /** The kind that message-signalled interrupts with a table are. */
  public static final int MSIX = 2;

  /** How many kinds a PCI function has. */
  public static final int KINDS = 5;

  /**
   * Read the structure.
   *
   * @throws ProtocolException if it is too short
   */
  public static InterruptInfo read(MemorySegment payload) {
    Payload.requireArgumentSize("DEVICE_GET_IRQ_INFO", payload, SIZE);
    return new InterruptInfo(Bytes.u32(payload, 4), Bytes.u32(payload, 8), Bytes.u32(payload, 12));
  }

  /** Write the structure. */
  public void write(MemorySegment to) {
    Bytes.u32(to, 0, SIZE);
    Bytes.u32(to, 4, flags);
    Bytes.u32(to, 8, index);
    Bytes.u32(to, 12, count);
  }
}
