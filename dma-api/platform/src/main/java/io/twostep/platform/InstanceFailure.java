package io.twostep.platform;

/** An instance that could not be made, with the line that says so. */
final class InstanceFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String text;

  InstanceFailure(String what, RuntimeException cause) {
    super(cause);
    text = what + ": " + (cause.getMessage() == null ? cause.toString() : cause.getMessage());
  }

  String text() {
    return text;
  }
}
