package io.twostep.device.vfio.state;

/**
 * Which of the optional states a device has; all that migrate have STOP_COPY.
 *
 * @param peerToPeer whether it has RUNNING_P2P, and with pre-copy PRE_COPY_P2P
 * @param preCopy whether it has PRE_COPY
 */
public record MigrationFeatures(boolean peerToPeer, boolean preCopy) {
  /** Bit of the mandatory STOP_COPY. */
  public static final int STOP_COPY = 1;

  /** Bit of {@link #peerToPeer}. */
  public static final int P2P = 2;

  /** Bit of {@link #preCopy}. */
  public static final int PRE_COPY = 4;

  /**
   * Return the features of some bits, as a device tells them.
   *
   * @throws IllegalArgumentException for bits that are unknown, or without STOP_COPY
   */
  public static MigrationFeatures of(int bits) {
    if ((bits & STOP_COPY) == 0 || (bits & ~(STOP_COPY | P2P | PRE_COPY)) != 0) {
      throw new IllegalArgumentException(
          "migration features 0x" + Integer.toHexString(bits) + " are not a legal set: STOP_COPY (1), and P2P (2) and PRE_COPY (4) if there are");
    }
    return new MigrationFeatures((bits & P2P) != 0, (bits & PRE_COPY) != 0);
  }

  /** Return the features as bits. */
  public int bits() {
    return STOP_COPY | (peerToPeer ? P2P : 0) | (preCopy ? PRE_COPY : 0);
  }

  /** Tell whether a device of these features can be in a state. */
  public boolean supports(DeviceState state) {
    return switch (state) {
      case ERROR, STOP, RUNNING, STOP_COPY, RESUMING -> true;
      case RUNNING_P2P -> peerToPeer;
      case PRE_COPY -> preCopy;
      case PRE_COPY_P2P -> peerToPeer && preCopy;
    };
  }
}
