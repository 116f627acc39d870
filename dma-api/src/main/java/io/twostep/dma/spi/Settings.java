package io.twostep.dma.spi;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * The values of one plugin's settings: declared defaults, overlaid with what the user gave. Immutable.
 *
 * <p>Getters throw {@link IllegalArgumentException} naming the setting, the value and the form expected.
 */
public final class Settings {
  private final String owner;
  private final Map<String, String> values;

  private Settings(String owner, Map<String, String> values) {
    this.owner = owner;
    this.values = values;
  }

  /**
   * Overlay a plugin's defaults with given values.
   *
   * @throws IllegalArgumentException for a setting the plugin does not have, naming the nearest one it has
   */
  public static Settings of(DmaPlugin plugin, Map<String, String> given) {
    List<String> problems = problems(plugin, given);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", problems));
    }
    Map<String, String> values = new TreeMap<>();
    for (Setting setting : plugin.settings()) {
      values.put(setting.name(), setting.defaultValue());
    }
    values.putAll(given);
    return new Settings(plugin.name(), values);
  }

  /** Return a plugin's defaults. */
  public static Settings defaults(DmaPlugin plugin) {
    return of(plugin, Map.of());
  }

  /** Return one line for every given setting the plugin does not have. */
  public static List<String> problems(DmaPlugin plugin, Map<String, String> given) {
    List<String> names = plugin.settings().stream().map(Setting::name).sorted().toList();
    List<String> problems = new ArrayList<>();
    for (String name : new TreeMap<>(given).keySet()) {
      if (!names.contains(name)) {
        problems.add(
            "unknown setting '" + name + "' for " + plugin.kind().text() + " '" + plugin.name() + "'" + Names.suggest(name, names));
      }
    }
    return problems;
  }

  /** Return a setting's text. */
  public String text(String name) {
    String value = values.get(name);
    if (value == null) {
      throw new IllegalArgumentException(owner + " declares no setting '" + name + "'; has " + values.keySet());
    }
    return value;
  }

  /** Return a setting as a whole number; decimal, or hexadecimal after {@code 0x}. */
  public long number(String name) {
    String text = text(name).trim();
    try {
      return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw bad(name, "a whole number, such as 32 or 0x20");
    }
  }

  /** Return a setting as a whole number from {@code min} to {@code max}. */
  public int number(String name, int min, int max) {
    long value = number(name);
    if (value < min || value > max) {
      throw bad(name, "a whole number from " + min + " to " + max);
    }
    return (int) value;
  }

  /** Return a setting as bytes: a whole number with an optional K, M, G or T (powers of 1024), {@code iB} optional. */
  public long bytes(String name) {
    try {
      return Names.parseBytes(text(name));
    } catch (NumberFormatException e) {
      throw bad(name, "a size such as 4096, 4K or 64MiB");
    }
  }

  /** Return a setting that is {@code true} or {@code false}. */
  public boolean flag(String name) {
    return switch (text(name).trim().toLowerCase(Locale.ROOT)) {
      case "true", "on", "yes" -> true;
      case "false", "off", "no" -> false;
      default -> throw bad(name, "true or false");
    };
  }

  /** Return a setting that is one of the names of an enum, written in lower case with hyphens. */
  public <E extends Enum<E>> E choice(String name, Class<E> type) {
    String wanted = text(name).trim().toUpperCase(Locale.ROOT).replace('-', '_');
    for (E constant : Objects.requireNonNull(type.getEnumConstants())) {
      if (constant.name().equals(wanted)) {
        return constant;
      }
    }
    List<String> names = new ArrayList<>();
    for (E constant : Objects.requireNonNull(type.getEnumConstants())) {
      names.add(constant.name().toLowerCase(Locale.ROOT).replace('_', '-'));
    }
    throw bad(name, "one of " + names);
  }

  /** Return all values by name. */
  public Map<String, String> asMap() {
    return Map.copyOf(values);
  }

  private IllegalArgumentException bad(String name, String expected) {
    return new IllegalArgumentException(
        "setting '" + name + "' of " + owner + " is '" + text(name) + "'; it must be " + expected);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Settings s && owner.equals(s.owner) && values.equals(s.values);
  }

  @Override
  public int hashCode() {
    return Objects.hash(owner, values);
  }

  @Override
  public String toString() {
    return owner + values;
  }
}
