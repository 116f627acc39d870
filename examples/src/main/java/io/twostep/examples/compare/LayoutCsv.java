package io.twostep.examples.compare;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Layouts as text: a line {@code phys,length}, then one line for each range, in order.
 *
 * <p>Numbers are decimal, or hexadecimal with {@code 0x}; both are unsigned, in bytes. Empty lines and lines that begin with {@code #} are left out,
 * and so is a byte order mark.
 */
public final class LayoutCsv {
  /** The first line. */
  public static final String HEADER = "phys,length";

  private static final String BYTE_ORDER_MARK = "\ufeff";

  private LayoutCsv() {}

  /**
   * Read a layout.
   *
   * @throws IllegalArgumentException naming file, line and rule
   * @throws IOException if the file cannot be read
   */
  public static Layout read(Path file) throws IOException {
    Layout.Builder layout = new Layout.Builder(file.toString());
    int number = 0;
    boolean headed = false;
    // Lines end at the same bytes in both encodings; a reader of UTF-8 fails before it has returned the lines ahead of what is none.
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.ISO_8859_1)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        String text = text(line, number).strip();
        if (text.isEmpty() || text.startsWith("#")) {
          continue;
        }
        if (headed) {
          add(layout, text, file, number);
        } else if (text.replace(" ", "").equals(HEADER)) {
          headed = true;
        } else {
          throw wrong(file, number, "'" + shown(text) + "' comes before the header; the first line must be " + HEADER);
        }
      }
    } catch (MalformedInputException e) {
      throw wrong(file, number, "is no text in UTF-8; a layout has a line " + HEADER + ", then a line for each range");
    }
    if (layout.isEmpty()) {
      throw new IllegalArgumentException(file + " holds no range; it must have a line " + HEADER + ", then a line for each range");
    }
    return layout.build();
  }

  private static String text(String bytes, int number) throws CharacterCodingException {
    String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes.getBytes(StandardCharsets.ISO_8859_1))).toString();
    return number == 1 && text.startsWith(BYTE_ORDER_MARK) ? text.substring(BYTE_ORDER_MARK.length()) : text;
  }

  private static void add(Layout.Builder layout, String text, Path file, int number) {
    String[] words = text.split(",", -1);
    if (words.length != 2) {
      throw wrong(file, number, "'" + shown(text) + "' has " + words.length + " fields; it must have two: " + HEADER);
    }
    long phys = number("phys", words[0].strip(), file, number);
    long length = number("length", words[1].strip(), file, number);
    try {
      layout.add(phys, length);
    } catch (IllegalArgumentException e) {
      throw wrong(file, number, String.valueOf(e.getMessage()));
    }
  }

  private static long number(String name, String word, Path file, int number) {
    try {
      return word.startsWith("0x") || word.startsWith("0X") ? Long.parseUnsignedLong(word.substring(2), 16) : Long.parseUnsignedLong(word);
    } catch (NumberFormatException e) {
      throw wrong(file, number, name + " is '" + shown(word) + "'; it must be a decimal number, or a hexadecimal one that begins with 0x");
    }
  }

  private static String shown(String text) {
    return text.length() <= 40 ? text : text.substring(0, 40) + "...";
  }

  private static IllegalArgumentException wrong(Path file, int number, String what) {
    return new IllegalArgumentException(file + " line " + number + ": " + what);
  }
}
