package io.twostep.backend.p2p;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** The host bridges that are known to forward requests between devices, by model, whatever its case. Immutable. */
final class HostBridgeList {
  /** The setting's word for the list that comes with this layer. */
  static final String KNOWN = "known";

  private static final String RESOURCE = "host-bridges.txt";

  /** How far a bridge forwards. */
  enum Reach {
    /** Also to and from other bridges that do. */
    ANY,
    /** Among the devices below itself. */
    SAME
  }

  private final Map<String, Reach> models = new HashMap<>();

  private HostBridgeList() {}

  /**
   * Read a setting: models with {@code =any} or {@code =same} behind them, and {@code known}, separated by commas.
   *
   * @throws IllegalArgumentException naming the word that does not fit
   */
  static HostBridgeList of(String text) {
    HostBridgeList list = new HostBridgeList();
    for (String word : text.split(",", -1)) {
      String entry = word.strip().toLowerCase(Locale.ROOT);
      if (entry.equals(KNOWN)) {
        list.addKnown();
      } else if (!entry.isEmpty()) {
        int equals = entry.lastIndexOf('=');
        list.add(equals < 0 ? entry : entry.substring(0, equals).strip(), equals < 0 ? "any" : entry.substring(equals + 1).strip());
      }
    }
    return list;
  }

  private void addKnown() {
    String text;
    try (InputStream in = Objects.requireNonNull(HostBridgeList.class.getResourceAsStream(RESOURCE), RESOURCE)) {
      text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(RESOURCE + " of the peer layer cannot be read", e);
    }
    text.lines()
        .map(line -> line.indexOf('#') < 0 ? line : line.substring(0, line.indexOf('#')))
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .forEach(line -> add(line.substring(0, line.indexOf(' ')), line.substring(line.lastIndexOf(' ') + 1)));
  }

  private void add(String model, String reach) {
    if (model.isEmpty()) {
      throw new IllegalArgumentException("host-bridges: '=" + reach + "' names no model; write one such as 8086:2020 or 8086:* in front of it");
    }
    models.put(
        model,
        switch (reach) {
          case "any" -> Reach.ANY;
          case "same" -> Reach.SAME;
          default ->
              throw new IllegalArgumentException(
                  "host-bridges: '" + model + "=" + reach + "' must end in =any or =same, or be known or a model such as 8086:2020 or 8086:*");
        });
  }

  /** Tell whether a bridge passes requests on to devices below {@code other}. */
  boolean forwards(String bridge, boolean sameBridge) {
    String model = bridge.toLowerCase(Locale.ROOT);
    Reach reach = models.get(model);
    if (reach == null) {
      int colon = model.indexOf(':');
      reach = colon < 0 ? null : models.get(model.substring(0, colon) + ":*");
    }
    return reach == Reach.ANY || (reach == Reach.SAME && sameBridge);
  }

  int size() {
    return models.size();
  }
}
