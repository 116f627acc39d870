package io.twostep.device.vfio;

/** Tells that a device or a migration could not do what it was asked. */
public final class MigrationException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What kind of failure it is. */
  public enum Kind {
    /** Asked for what the device or its state does not allow; nothing changed. */
    REFUSED,
    /** The device failed a command; {@link MigratableDevice#state} says where it stands. */
    DEVICE,
    /** The device does not answer, or is gone. */
    GONE,
    /** What arrived is not complete, or not what was sent. */
    DATA,
    /** The channel between source and destination broke. */
    CHANNEL,
    /** A checkpoint, a spool or the ownership record cannot be reached; what holds is not known until it can. */
    STORAGE,
    /** A migration was neither committed nor cancelled; somebody has to decide which side goes on. */
    UNRESOLVED,
    /** The other side, or a newer migration, holds the right to run the guest. */
    FENCED
  }

  private final Kind kind;

  /** Create an exception. */
  public MigrationException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /** Create an exception with a cause. */
  public MigrationException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  /** Return what kind of failure it is. */
  public Kind kind() {
    return kind;
  }
}
