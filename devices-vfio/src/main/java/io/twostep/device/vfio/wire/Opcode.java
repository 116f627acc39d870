package io.twostep.device.vfio.wire;

/** Numbers the commands of the migration interface; the first five are those that mlx5 devices have. */
public final class Opcode {
  /** Argument 0: {@link #INITIATOR} starts no DMA any more, {@link #RESPONDER} answers nobody any more. */
  public static final int SUSPEND = 0x115;

  /** Argument 0 as of SUSPEND, undone in the opposite order. */
  public static final int RESUME = 0x116;

  /** Argument 0: 1 for the increment since the last tracked save. Result 0: bytes of the image, 0 if nothing changed. */
  public static final int QUERY = 0x117;

  /** Arguments: flags, table, entries, bytes that the table has room for. Result 0: bytes of the image. */
  public static final int SAVE = 0x118;

  /** Arguments: 0, table, entries, bytes of the image. */
  public static final int LOAD = 0x119;

  /** Arguments: page size, ring address, ring entries, ranges address, ranges. Starts with everything clean. */
  public static final int TRACK_CREATE = 0xa00;

  /** Arguments: first guest address, bytes. Results: pages put into the ring, {@link #MORE} or {@link #OVERFLOW} or 0. What is reported is clean. */
  public static final int TRACK_REPORT = 0xa02;

  /** Stops tracking. */
  public static final int TRACK_DESTROY = 0xa03;

  /** SUSPEND and RESUME: the part that starts DMA. */
  public static final int INITIATOR = 0;

  /** SUSPEND and RESUME: the part that answers. */
  public static final int RESPONDER = 1;

  /** SAVE: only what changed since the last tracked save. */
  public static final int INCREMENTAL = 1;

  /** SAVE: note what changes from now on. */
  public static final int TRACK = 2;

  /** TRACK_REPORT: the ring is full, ask again. */
  public static final int MORE = 1;

  /** TRACK_REPORT: more was written than the device could note; everything tracked counts as written. */
  public static final int OVERFLOW = 2;

  private Opcode() {}
}
