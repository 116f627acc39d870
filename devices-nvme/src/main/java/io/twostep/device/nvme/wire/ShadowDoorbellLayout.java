package io.twostep.device.nvme.wire;

/**
 * Place the entries of the shadow doorbell and event index buffers, and says when the real doorbell must be rung
 * (Base 5.8 and annex B.5).
 *
 * <p>Both buffers repeat the order of the doorbells, in the same stride, from offset 0; queue 0 is not shadowed.
 *
 * <pre>
 * 0 * stride   submission queue 0 tail (unused)
 * 1 * stride   completion queue 0 head (unused)
 * 2 * stride   submission queue 1 tail
 * 3 * stride   completion queue 1 head      stride = 4 &lt;&lt; CAP.DSTRD bytes
 * </pre>
 *
 * <p>The host stores the shadow, then a full fence, then loads the event index. The controller stores the event index, then a full
 * fence, then loads the shadow once more. Without both fences a doorbell can be lost.
 */
public final class ShadowDoorbellLayout {
  /** The one word of an entry, relative to its offset. */
  public static final U32 WORD = new U32(0);

  private ShadowDoorbellLayout() {}

  /** Return the byte offset of a submission queue's tail in either buffer. */
  public static long submissionTail(int queueId, int dstrd) {
    return 2L * queueId * DoorbellLayout.stride(dstrd);
  }

  /** Return the byte offset of a completion queue's head in either buffer. */
  public static long completionHead(int queueId, int dstrd) {
    return (2L * queueId + 1) * DoorbellLayout.stride(dstrd);
  }

  /** Return the length of either buffer for the admin queue pair and {@code ioQueues} I/O queue pairs, in bytes. */
  public static long length(int ioQueues, int dstrd) {
    return DoorbellLayout.length(ioQueues, dstrd);
  }

  /**
   * Tell whether moving an index from {@code oldIndex} to {@code newIndex} passes the event index, in 16-bit arithmetic: then the
   * real doorbell must be written as well.
   */
  public static boolean passesEvent(int eventIndex, int newIndex, int oldIndex) {
    return ((newIndex - eventIndex - 1) & 0xffff) < ((newIndex - oldIndex) & 0xffff);
  }
}
