package io.twostep.guest.figures;

import java.util.List;
import java.util.Locale;

/**
 * What was measured of one case, a value for each round.
 *
 * @param labels what tells the case from others, a column each
 * @param values the rounds, in order; at least one
 */
record Series(List<String> labels, List<Double> values) {
  Series {
    labels = List.copyOf(labels);
    values = List.copyOf(values);
  }

  double median() {
    List<Double> sorted = sorted();
    return (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2;
  }

  private List<Double> sorted() {
    return values.stream().sorted().toList();
  }

  /** Return median, lowest and highest for people. */
  String text() {
    return String.format(Locale.ROOT, "%,.0f (%,.0f, %,.0f)", median(), sorted().getFirst(), sorted().getLast());
  }

  /** Return a JSON object with a member for each label, the median and the rounds. */
  String json(List<String> names, String unit) {
    StringBuilder json = new StringBuilder("{");
    for (int i = 0; i < names.size(); i++) {
      json.append('"').append(names.get(i)).append("\":\"").append(labels.get(i)).append("\",");
    }
    return json.append(String.format(Locale.ROOT, "\"%s\":%.1f,\"rounds\":%s}", unit, median(), values)).toString();
  }
}
