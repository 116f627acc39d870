package io.twostep.device.vfio.state;

/** What a device does, as far as migration is concerned; the numbers are those of the VFIO migration interface, version 2. */
public enum DeviceState {
  /** Left an arc half done and cannot say where it stands; only a reset helps. */
  ERROR(0),
  /** Does nothing and changes nothing. */
  STOP(1),
  /** Does its work. */
  RUNNING(2),
  /** Stopped, and its state can be read. */
  STOP_COPY(3),
  /** Stopped, and its state can be written. */
  RESUMING(4),
  /** Starts no DMA, but answers accesses, those of its peers too. */
  RUNNING_P2P(5),
  /** Does its work while its state can be read. */
  PRE_COPY(6),
  /** Starts no DMA, answers its peers, and its state can be read. */
  PRE_COPY_P2P(7);

  private static final DeviceState[] ALL = values();

  private final int code;

  DeviceState(int code) {
    this.code = code;
  }

  /** Return the state's number. */
  public int code() {
    return code;
  }

  /**
   * Return the state of a number.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static DeviceState of(int code) {
    if (code < 0 || code >= ALL.length) {
      throw new IllegalArgumentException(code + " is no migration state; they are 0 to " + (ALL.length - 1));
    }
    return ALL[code];
  }

  /** Tell whether the device starts DMA of its own. */
  public boolean startsDma() {
    return this == RUNNING || this == PRE_COPY;
  }

  /** Tell whether the device answers accesses that change it, such as those of its peers. */
  public boolean answersPeers() {
    return startsDma() || this == RUNNING_P2P || this == PRE_COPY_P2P;
  }

  /** Tell whether its state can be read. */
  public boolean saves() {
    return this == STOP_COPY || isPreCopy();
  }

  /** Tell whether its state can be read while it changes. */
  public boolean isPreCopy() {
    return this == PRE_COPY || this == PRE_COPY_P2P;
  }
}
