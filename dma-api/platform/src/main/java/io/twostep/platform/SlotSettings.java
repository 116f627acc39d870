package io.twostep.platform;

import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The settings every modelled device has beside those of its model: how it stands in its machine. */
final class SlotSettings {
  static final List<String> NAMES = List.of("trusted", "coherent", "translation", "group", "address-bits");

  private SlotSettings() {}

  /** Read options; a value that does not fit is reported, and its default stands. */
  static SlotOptions parse(Map<String, String> given, Consumer<String> problem) {
    SlotOptions options = SlotOptions.DEFAULT;
    for (Map.Entry<String, String> setting : given.entrySet()) {
      SlotOptions changed = with(options, setting.getKey(), setting.getValue().trim());
      if (changed == null) {
        problem.accept("setting '" + setting.getKey() + "' is '" + setting.getValue() + "'; it must be " + expected(setting.getKey()));
      } else {
        options = changed;
      }
    }
    return options;
  }

  private static @Nullable SlotOptions with(SlotOptions options, String name, String value) {
    return switch (name) {
      case "trusted" -> isFlag(value) ? options.withTrusted(Boolean.parseBoolean(value)) : null;
      case "coherent" -> isFlag(value) ? options.withCoherent(Boolean.parseBoolean(value)) : null;
      case "group" -> options.withGroup(value);
      case "translation" -> withTranslation(options, value);
      case "address-bits" -> withAddressBits(options, value);
      default -> throw new IllegalArgumentException("no slot setting '" + name + "'");
    };
  }

  private static boolean isFlag(String value) {
    return value.equals("true") || value.equals("false");
  }

  private static @Nullable SlotOptions withTranslation(SlotOptions options, String value) {
    for (Translation translation : Translation.values()) {
      if (text(translation).equals(value)) {
        return options.withTranslation(translation);
      }
    }
    return null;
  }

  private static @Nullable SlotOptions withAddressBits(SlotOptions options, String value) {
    try {
      int bits = Integer.parseInt(value);
      return bits < 1 || bits > 64 ? null : options.withAddressBits(bits);
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static String expected(String name) {
    return switch (name) {
      case "translation" -> "one of " + List.of(Translation.values()).stream().map(SlotSettings::text).toList();
      case "address-bits" -> "a whole number from 1 to 64";
      default -> "true or false";
    };
  }

  private static String text(Translation translation) {
    return translation.name().toLowerCase(Locale.ROOT);
  }
}
