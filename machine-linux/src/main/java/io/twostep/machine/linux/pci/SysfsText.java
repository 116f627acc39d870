package io.twostep.machine.linux.pci;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Reads small files whose absence is an answer. */
public final class SysfsText {
  private SysfsText() {}

  /** Return a file's text without blanks around it; empty if it is not there or cannot be read. Bytes that are no UTF-8, as names of folders may have, do not hide the rest. */
  public static String read(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "";
    }
  }

  /** Return a file's lines; none if it is not there or cannot be read. */
  public static List<String> lines(Path file) {
    String text = read(file);
    return text.isEmpty() ? List.of() : text.lines().toList();
  }

  /** Return the number that a file holds, in C's notation; -1 if it is not there or holds none. */
  static long number(Path file) {
    try {
      return Long.decode(read(file));
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  /** Return the last part of where a link points to; empty if it is not there. */
  static String linkName(Path link) {
    String target = linkTarget(link);
    return target.substring(target.lastIndexOf('/') + 1);
  }

  /** Return where a link points to; empty if it is not there. */
  static String linkTarget(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      return "";
    }
  }

  /** Return the names in a folder, sorted; none if it is not there. */
  public static List<String> names(Path folder) {
    try (var entries = Files.list(folder)) {
      return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
    } catch (IOException | UncheckedIOException e) {
      return List.of();
    }
  }
}
