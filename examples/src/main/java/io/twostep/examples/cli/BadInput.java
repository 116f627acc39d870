package io.twostep.examples.cli;

/** Something the user gave does not work; the message is the whole answer. */
final class BadInput extends RuntimeException {
  private static final long serialVersionUID = 1;

  BadInput(String message) {
    super(message);
  }
}
