package io.twostep.machine.linux.vfiouser.protocol;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON text (RFC 8259) from a stranger: objects as maps, arrays as lists, whole numbers as BigInteger, others as Double, null as null.
 *
 * <p>Depth is bounded, so that no text overflows the stack, and so are the digits of whole numbers, so that none takes long to read: longer ones are read as others are.
 */
final class JsonReader {
  private static final int DEEPEST = 32;
  private static final int MOST_DIGITS = 40;

  private final String text;
  private int at;
  private int depth;

  private JsonReader(String text) {
    this.text = text;
  }

  /**
   * Read a whole text.
   *
   * @throws ProtocolException naming the place, if it is not JSON
   */
  static @Nullable Object parse(String text) {
    JsonReader reader = new JsonReader(text);
    Object value = reader.value();
    reader.space();
    if (reader.at != text.length()) {
      throw reader.wrong("the end");
    }
    return value;
  }

  private @Nullable Object value() {
    space();
    if (++depth > DEEPEST) {
      throw wrong("at most " + DEEPEST + " levels");
    }
    Object value =
        switch (peek()) {
          case '{' -> object();
          case '[' -> array();
          case '"' -> string();
          case 't' -> word("true", true);
          case 'f' -> word("false", false);
          case 'n' -> word("null", null);
          default -> number();
        };
    depth--;
    return value;
  }

  private Map<String, @Nullable Object> object() {
    Map<String, @Nullable Object> members = new LinkedHashMap<>();
    expect('{');
    space();
    if (tryTake('}')) {
      return members;
    }
    do {
      space();
      String name = string();
      space();
      expect(':');
      members.put(name, value());
      space();
    } while (tryTake(','));
    expect('}');
    return members;
  }

  private List<@Nullable Object> array() {
    List<@Nullable Object> elements = new ArrayList<>();
    expect('[');
    space();
    if (tryTake(']')) {
      return elements;
    }
    do {
      elements.add(value());
      space();
    } while (tryTake(','));
    expect(']');
    return elements;
  }

  private String string() {
    expect('"');
    StringBuilder string = new StringBuilder();
    while (true) {
      char c = take();
      if (c == '"') {
        return string.toString();
      }
      if (c < ' ') {
        throw wrong("no control character in a string");
      }
      string.append(c == '\\' ? escape() : c);
    }
  }

  private char escape() {
    char c = take();
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> unicode();
      default -> throw wrong("an escape");
    };
  }

  private char unicode() {
    int value = 0;
    for (int i = 0; i < 4; i++) {
      int digit = Character.digit(take(), 16);
      if (digit < 0) {
        throw wrong("four hexadecimal digits");
      }
      value = value << 4 | digit;
    }
    return (char) value;
  }

  private @Nullable Object word(String word, @Nullable Object value) {
    if (!text.startsWith(word, at)) {
      throw wrong(word);
    }
    at += word.length();
    return value;
  }

  private Object number() {
    int start = at;
    while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String number = text.substring(start, at);
    if (number.matches("-?(0|[1-9][0-9]{0,%d})".formatted(MOST_DIGITS - 1))) {
      return new BigInteger(number);
    }
    if (number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
      return Double.valueOf(number);
    }
    at = start;
    throw wrong("a value");
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private boolean tryTake(char c) {
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private void expect(char c) {
    if (!tryTake(c)) {
      throw wrong("'" + c + "'");
    }
  }

  private char peek() {
    if (at == text.length()) {
      throw wrong("a value");
    }
    return text.charAt(at);
  }

  private char take() {
    char c = peek();
    at++;
    return c;
  }

  private ProtocolException wrong(String expected) {
    return new ProtocolException("VERSION: no JSON at character %d of its text: expected %s".formatted(at, expected));
  }
}
