package io.twostep.device.vfio.migrate;

/** Tags of the records between source and destination. */
final class ChannelTags {
  /** First: bytes of the guest's memory u64, devices u32, 0 u32. */
  static final int GUEST = 16;

  /** Guest address u64, then whole pages. */
  static final int MEMORY = 17;

  /** Device u32, 0 u32, then bytes of its own stream. */
  static final int DEVICE = 18;

  /** Optional: the round that ends u32, 0 u32, pages left u64. */
  static final int ROUND = 19;

  /** From the destination: it runs the guest. */
  static final int RUNNING = 32;

  /** From the destination: it gave up; why, as text. */
  static final int FAILED = 33;

  private ChannelTags() {}

  /** Tell whether a record from the source has this tag. */
  static boolean isOfGuest(int tag) {
    return tag >= GUEST && tag <= ROUND;
  }
}
