package io.twostep.examples.cli;

import java.util.HexFormat;

/** Writes one JSON value; the caller keeps to the grammar. Members and elements are separated as they come. */
public final class JsonText {
  private final StringBuilder text = new StringBuilder();

  /** Open an object or an array. */
  public JsonText open(char bracket) {
    separate();
    text.append(bracket);
    return this;
  }

  /** Close what was opened. */
  public JsonText close(char bracket) {
    text.append(bracket);
    return this;
  }

  /** Append a member's name. */
  public JsonText name(String name) {
    separate();
    quote(name);
    text.append(':');
    return this;
  }

  /** Append a string. */
  public JsonText value(String value) {
    separate();
    quote(value);
    return this;
  }

  /** Append a whole number. */
  public JsonText value(long value) {
    separate();
    text.append(value);
    return this;
  }

  /** Append a number with at most three decimals. */
  public JsonText value(double value) {
    separate();
    double rounded = Math.round(value * 1000) / 1000.0;
    text.append(rounded == Math.rint(rounded) ? Long.toString((long) rounded) : Double.toString(rounded));
    return this;
  }

  /** Append a truth value. */
  public JsonText value(boolean value) {
    separate();
    text.append(value);
    return this;
  }

  /** Append a member. */
  public JsonText member(String name, String value) {
    return name(name).value(value);
  }

  /** Append a member. */
  public JsonText member(String name, long value) {
    return name(name).value(value);
  }

  /** Append a member, with at most three decimals. */
  public JsonText member(String name, double value) {
    return name(name).value(value);
  }

  /** Append a member. */
  public JsonText member(String name, boolean value) {
    return name(name).value(value);
  }

  /** Append a member that counts; null for a negative count, which nobody could take. */
  public JsonText count(String name, long count) {
    if (count >= 0) {
      return member(name, count);
    }
    name(name);
    text.append("null");
    return this;
  }

  private void separate() {
    int last = text.length() - 1;
    if (last >= 0 && "{[:,".indexOf(text.charAt(last)) < 0) {
      text.append(',');
    }
  }

  private void quote(String value) {
    text.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        default -> append(c);
      }
    }
    text.append('"');
  }

  private void append(char c) {
    if (Character.isSurrogate(c)) {
      text.append("\\u").append(HexFormat.of().toHexDigits(c));
    } else {
      Printable.append(c, text);
    }
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
