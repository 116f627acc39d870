package io.twostep.examples.cli;

import java.util.List;

/** Adds commands to the command line; found by ServiceLoader, so that what measures or tests need not come with what runs. */
public interface CommandSource {
  /** Return new picocli commands. */
  List<Object> commands();
}
