package io.twostep.examples.cli;

/** Something the user gave does not work; the message is the whole answer. */
public final class BadInput extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Say in one line what does not work, and what would. */
  public BadInput(String message) {
    super(message);
  }
}
