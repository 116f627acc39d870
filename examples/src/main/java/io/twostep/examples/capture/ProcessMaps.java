package io.twostep.examples.capture;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads {@code /proc/PID/maps}: which addresses a process has. */
final class ProcessMaps {
  private static final int FIELDS_BEFORE_NAME = 5;

  private ProcessMaps() {}

  /**
   * Addresses that belong together.
   *
   * @param start the first
   * @param end the first behind them
   * @param writable whether the process may write there
   * @param name file, or a name in brackets; empty for anonymous memory
   */
  record Mapping(long start, long end, boolean writable, String name) {
    /** Tell whether it is what programs use as buffers: writable memory that belongs to no file. */
    boolean isBuffer() {
      return writable && (name.isEmpty() || name.equals("[heap]") || name.startsWith("[anon:"));
    }
  }

  static List<Mapping> read(Path maps) throws IOException {
    List<Mapping> mappings = new ArrayList<>();
    // Names of files are bytes: those that are no text must not hide what else there is.
    for (String line : new String(Files.readAllBytes(maps), StandardCharsets.UTF_8).split("\n", -1)) {
      if (line.isEmpty()) {
        continue;
      }
      String[] words = line.split(" +", FIELDS_BEFORE_NAME + 1);
      int dash = words[0].indexOf('-');
      long start = Long.parseUnsignedLong(words[0], 0, dash, 16);
      long end = Long.parseUnsignedLong(words[0], dash + 1, words[0].length(), 16);
      String name = words.length > FIELDS_BEFORE_NAME ? words[FIELDS_BEFORE_NAME] : "";
      mappings.add(new Mapping(start, end, words[1].contains("w"), name));
    }
    return mappings;
  }
}
