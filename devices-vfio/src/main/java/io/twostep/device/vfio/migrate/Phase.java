package io.twostep.device.vfio.migrate;

/** Where one side of a migration stands. */
public enum Phase {
  /** Nothing was done. */
  NEW,
  /** The guest runs at the source while its memory is copied. */
  PRE_COPY,
  /** The guest stands still while the rest is copied. */
  STOP_COPY,
  /** The source has sent everything; only the ownership record says who may run the guest. */
  UNRESOLVED,
  /** The destination has everything and has made it durable; the commit comes next. */
  PREPARED,
  /** The destination has taken the guest over and is about to run it. */
  COMMITTED,
  /** The guest runs at the destination. */
  DONE,
  /** The source keeps the guest, which runs there. */
  CANCELLED,
  /** This side gave up, and does not run the guest. */
  FAILED;

  /** Tell whether nothing more will happen by itself. */
  public boolean isEnd() {
    return this == DONE || this == CANCELLED || this == FAILED;
  }
}
