package io.twostep.device.vfio.stream;

/** Tells that a stream is not what its writer wrote, or not for this reader; nothing more of it is to be used. */
public final class StreamException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What is wrong with a stream. */
  public enum Kind {
    /** Bytes differ from what was written. */
    CORRUPT,
    /** It ended before its end. */
    TRUNCATED,
    /** It is of another major version, or has a mandatory record that this reader does not know. */
    UNSUPPORTED
  }

  private final Kind kind;

  /** Create an exception. */
  public StreamException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /** Return what is wrong. */
  public Kind kind() {
    return kind;
  }
}
