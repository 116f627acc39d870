package io.twostep.examples.cli;

import io.twostep.dma.spi.Names;
import io.twostep.examples.nvme.NvmeWorkload;
import io.twostep.examples.nvme.Strategy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Reads what users write, and says in one line what is wrong with it. */
final class Arguments {
  /** What to do where the folder for copies is too small. */
  static final String ANOTHER_FOLDER = "free some, or set TWOSTEP_JAVA_OPTIONS=-Djava.io.tmpdir=FOLDER";

  private static final long HOUR_NANOS = 3_600_000_000_000L;

  private Arguments() {}

  /** Read a size from {@code min} to {@code max}, a multiple of {@code unit}. */
  static long bytes(String option, String text, long min, long max, long unit) {
    long value;
    try {
      value = Names.parseBytes(text);
    } catch (NumberFormatException e) {
      throw new BadInput(option + " is '" + text + "'; it must be a size such as 4096, 128K or 1M");
    }
    if (value < min || value > max || value % unit != 0) {
      throw new BadInput(option + " is " + text + "; it must be from " + min + " to " + max + " bytes" + (unit == 1 ? "" : " and a multiple of " + unit));
    }
    return value;
  }

  /** Read a whole number from {@code min} to {@code max}. */
  static int number(String option, String text, int min, int max) {
    try {
      int value = Integer.parseInt(text.trim());
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new BadInput(option + " is '" + text + "'; it must be a whole number from " + min + " to " + max);
    }
    throw new BadInput(option + " is " + text + "; it must be a whole number from " + min + " to " + max);
  }

  /** Read a time up to an hour, such as 50ms, as nanoseconds. */
  static long nanos(String option, String text) {
    String word = text.trim().toLowerCase(Locale.ROOT);
    long unit = word.endsWith("us") ? 1_000 : word.endsWith("ms") ? 1_000_000 : word.endsWith("s") ? 1_000_000_000 : 0;
    String digits = word.replaceFirst("(us|ms|s)$", "");
    if (unit == 0 || !digits.matches("[0-9]{1,9}") || Long.parseLong(digits) > HOUR_NANOS / unit) {
      throw new BadInput(option + " is '" + text + "'; it must be a time up to an hour, such as 50ms, 1s or 500us");
    }
    return Long.parseLong(digits) * unit;
  }

  /** Read a seed, any whole number of 64 bits, as the machine's setting; nothing for nothing. */
  static Map<String, String> seed(String text) {
    return text.isEmpty() ? Map.of() : Map.of("seed", Long.toString(seedNumber(text)));
  }

  /** Read a seed, any whole number of 64 bits. */
  static long seedNumber(String text) {
    try {
      return Long.parseLong(text.trim());
    } catch (NumberFormatException e) {
      throw new BadInput("--seed is '" + text + "'; it must be a whole number");
    }
  }

  /** Read one of some words. */
  static String choice(String option, String text, List<String> words) {
    if (!words.contains(text)) {
      throw new BadInput(option + " is '" + text + "'" + Names.suggest(text, words));
    }
    return text;
  }

  /** Read words that are separated by commas; what is empty stays, for whoever knows the words to refuse. */
  static List<String> words(String text) {
    return Arrays.stream(text.split(",", -1)).map(String::strip).toList();
  }

  /** Read a strategy, or all. */
  static List<Strategy> strategies(String text) {
    List<String> words = new ArrayList<>(Arrays.stream(Strategy.values()).map(Strategy::text).toList());
    words.add("all");
    choice("--strategy", text, words);
    return Arrays.stream(Strategy.values()).filter(strategy -> text.equals("all") || text.equals(strategy.text())).toList();
  }

  /** Check that a file can be read, and that some copies of it fit the temporary folder. */
  static Path file(String text, int copies) {
    Path file = readable(text);
    if (copies > 0) {
      requireRoom(file, copies);
    }
    return file;
  }

  /** Read a path. */
  static Path path(String text) {
    if (text.isEmpty()) {
      throw new BadInput("an empty name is no path");
    }
    try {
      Path path = Path.of(text);
      if (!path.isAbsolute() && !Files.exists(Path.of("").toAbsolutePath())) {
        throw new BadInput(text + " names nothing from here: this folder is gone, or its name is not UTF-8, which Java cannot open; give a name that begins with /");
      }
      return path;
    } catch (InvalidPathException e) {
      throw new BadInput("'" + text + "' is no path: " + e.getReason());
    }
  }

  /** Check that a file can be read. */
  static Path readable(String text) {
    Path file = path(text);
    if (!Files.exists(file)) {
      throw new BadInput(text + " does not exist");
    }
    if (!Files.isRegularFile(file)) {
      throw new BadInput(text + " is not a file");
    }
    if (!Files.isReadable(file)) {
      throw new BadInput(text + " cannot be read; check its permissions");
    }
    return file;
  }

  /** Check that a file can be written: its folder is there, and it is no folder itself. */
  static Path output(String text) {
    Path file = path(text);
    if (Files.isDirectory(file)) {
      throw new BadInput(text + " is a folder; name a file in it");
    }
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new BadInput("the folder of " + text + " does not exist");
    }
    if (!Files.isWritable(Files.exists(file) ? file : folder)) {
      throw new BadInput(text + " cannot be written; choose another place");
    }
    return file;
  }

  /** Check that a file to write is none that is read; by whatever name. */
  static void requireOther(Path written, Path read) {
    try {
      if (Files.exists(written) && Files.isSameFile(written, read)) {
        throw new BadInput(written + " is the file that is read; name another to write");
      }
    } catch (IOException e) {
      throw new BadInput(written + " cannot be compared with " + read + " (" + Reason.of(e) + "); choose another place");
    }
  }

  /** Return where copies of files go. */
  static Path temporaryFolder() {
    return Path.of(System.getProperty("java.io.tmpdir"));
  }

  private static void requireRoom(Path file, int copies) {
    Path folder = temporaryFolder();
    try {
      long size = Files.size(file);
      long room = Files.getFileStore(folder).getUsableSpace();
      if (room / copies < size + NvmeWorkload.BLOCK) {
        throw new BadInput(
            "no space for " + (copies == 1 ? "a copy" : copies + " copies") + " of " + file + " (" + size + " bytes) in " + folder + ", which has " + room
                + ": "
                + ANOTHER_FOLDER);
      }
    } catch (IOException e) {
      throw new BadInput("the temporary folder " + folder + " cannot be used: " + Reason.of(e));
    }
  }
}
