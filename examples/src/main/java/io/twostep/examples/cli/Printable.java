package io.twostep.examples.cli;

import java.util.HexFormat;

/** Text from outside, such as names of files, as it may be printed: nothing in it is an order to the terminal, ends the line or turns its direction. */
public final class Printable {
  private Printable() {}

  /** Return {@code text} with what is not printed escaped as JSON has it; a backslash of its own stays one. */
  public static String of(String text) {
    int first = 0;
    while (first < text.length() && !isHidden(text.charAt(first))) {
      first++;
    }
    if (first == text.length()) {
      return text;
    }
    StringBuilder shown = new StringBuilder().append(text, 0, first);
    for (int i = first; i < text.length(); i++) {
      append(text.charAt(i), shown);
    }
    return shown.toString();
  }

  /** Tell whether a character is no picture on a terminal but an order: C0 and C1, DEL, ends of lines, and what turns the direction of the text behind it. */
  static boolean isHidden(char c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> true;
      case Character.FORMAT ->
          switch (Character.getDirectionality(c)) {
            case Character.DIRECTIONALITY_LEFT_TO_RIGHT_EMBEDDING,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_EMBEDDING,
                    Character.DIRECTIONALITY_LEFT_TO_RIGHT_OVERRIDE,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_OVERRIDE,
                    Character.DIRECTIONALITY_POP_DIRECTIONAL_FORMAT,
                    Character.DIRECTIONALITY_LEFT_TO_RIGHT_ISOLATE,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_ISOLATE,
                    Character.DIRECTIONALITY_FIRST_STRONG_ISOLATE,
                    Character.DIRECTIONALITY_POP_DIRECTIONAL_ISOLATE ->
                true;
            default -> false;
          };
      default -> false;
    };
  }

  /** Append a character, escaped if it is {@linkplain #isHidden hidden}. */
  static void append(char c, StringBuilder to) {
    switch (c) {
      case '\n' -> to.append("\\n");
      case '\r' -> to.append("\\r");
      case '\t' -> to.append("\\t");
      default -> {
        if (isHidden(c)) {
          to.append("\\u").append(HexFormat.of().toHexDigits(c));
        } else {
          to.append(c);
        }
      }
    }
  }
}
