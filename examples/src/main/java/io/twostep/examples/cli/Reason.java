package io.twostep.examples.cli;

import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;

/** Says why something failed. */
final class Reason {
  private Reason() {}

  /** Return a reason in words; exceptions of files often hold a name and nothing else. */
  static String of(Throwable failure) {
    return switch (failure) {
      case NoSuchFileException missing -> missing.getFile() + " does not exist";
      case AccessDeniedException denied -> denied.getFile() + " may not be used; check its permissions";
      case FileAlreadyExistsException there -> there.getFile() + " exists already";
      case UncheckedIOException around when around.getCause() != null -> around.getMessage() + ": " + of(around.getCause());
      default -> failure.getMessage() == null ? failure.toString() : failure.getMessage();
    };
  }
}
