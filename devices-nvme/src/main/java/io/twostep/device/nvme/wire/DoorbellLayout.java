package io.twostep.device.nvme.wire;

/**
 * Place the doorbells behind the registers (PCIe 3.1.2).
 *
 * <pre>
 * 0x1000 + 0 * stride   submission queue 0 tail
 * 0x1000 + 1 * stride   completion queue 0 head
 * 0x1000 + 2 * stride   submission queue 1 tail
 * 0x1000 + 3 * stride   completion queue 1 head      stride = 4 &lt;&lt; CAP.DSTRD bytes
 * </pre>
 *
 * <p>A doorbell is 32 bits wide and holds the index in bits 15:0.
 */
public final class DoorbellLayout {
  /** Where the doorbells begin in BAR 0. */
  public static final int BASE = 0x1000;

  /** The new tail or head. */
  public static final Bits INDEX = new Bits(15, 0);

  private DoorbellLayout() {}

  /** Return the bytes between two doorbells. */
  public static int stride(int dstrd) {
    return 4 << dstrd;
  }

  /** Return the offset in BAR 0 of a submission queue's tail doorbell. */
  public static long submissionTail(int queueId, int dstrd) {
    return BASE + 2L * queueId * stride(dstrd);
  }

  /** Return the offset in BAR 0 of a completion queue's head doorbell. */
  public static long completionHead(int queueId, int dstrd) {
    return BASE + (2L * queueId + 1) * stride(dstrd);
  }

  /** Return the length of the doorbells of the admin queue pair and {@code ioQueues} I/O queue pairs, in bytes. */
  public static long length(int ioQueues, int dstrd) {
    return (ioQueues + 1L) * 2 * stride(dstrd);
  }

  /** Tell whether an offset in BAR 0 is the first byte of some queue's doorbell. */
  public static boolean isDoorbell(long offset, int dstrd) {
    return offset >= BASE && (offset - BASE) % stride(dstrd) == 0;
  }

  /** Return the queue whose doorbell is at {@code offset}: see {@link #isDoorbell}. */
  public static long queueId(long offset, int dstrd) {
    return ((offset - BASE) / stride(dstrd)) >>> 1;
  }

  /** Tell whether the doorbell at {@code offset} is a completion queue's head. */
  public static boolean isCompletionHead(long offset, int dstrd) {
    return (((offset - BASE) / stride(dstrd)) & 1) != 0;
  }
}
