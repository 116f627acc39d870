package io.twostep.machine.model.pci;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The access control services of a port: which of its bits do what, and how they are written in settings. PCI Express base specification, 7.7.11. */
public final class AccessControl {
  /** Check that the requester is below this port. */
  public static final int SOURCE_VALIDATION = 1;

  /** Block requests that claim to be translated. */
  public static final int TRANSLATION_BLOCKING = 1 << 1;

  /** Send requests for peers upward. */
  public static final int REQUEST_REDIRECT = 1 << 2;

  /** Send completions for peers upward. */
  public static final int COMPLETION_REDIRECT = 1 << 3;

  /** Send upward what was redirected below. */
  public static final int UPSTREAM_FORWARDING = 1 << 4;

  /** Let a table decide which peers may be reached. */
  public static final int EGRESS_CONTROL = 1 << 5;

  /** Let requests that are translated already pass redirection. */
  public static final int DIRECT_TRANSLATED = 1 << 6;

  /** What keeps a device apart from its peers, so that translation sees all it does. */
  public static final int ISOLATION = SOURCE_VALIDATION | REQUEST_REDIRECT | COMPLETION_REDIRECT | UPSTREAM_FORWARDING;

  /** What keeps peers from reaching each other without the host bridge. */
  static final int REDIRECTS = REQUEST_REDIRECT | COMPLETION_REDIRECT | EGRESS_CONTROL;

  private static final List<String> SHORT = List.of("sv", "tb", "rr", "cr", "uf", "ec", "dt");
  private static final List<String> LONG =
      List.of(
          "source validation",
          "translation blocking",
          "request redirect",
          "completion redirect",
          "upstream forwarding",
          "egress control",
          "direct translated");

  private AccessControl() {}

  /**
   * Parse bits such as {@code rr+cr}; {@code isolate} stands for all that isolation needs, {@code none} for none.
   *
   * @throws IllegalArgumentException for a word that is none of them
   */
  public static int parse(String text) {
    int bits = 0;
    for (String word : text.toLowerCase(Locale.ROOT).split("\\+", -1)) {
      int index = SHORT.indexOf(word);
      if (index < 0 && !word.equals("isolate") && !word.equals("none")) {
        throw new IllegalArgumentException(
            "access control '" + text + "': '" + word + "' must be one of " + SHORT + ", isolate or none, joined by +");
      }
      bits |= index >= 0 ? 1 << index : word.equals("isolate") ? ISOLATION : 0;
    }
    return bits;
  }

  /** Name the bits that send peers' traffic upward; empty if there are none. */
  static String redirects(int bits) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < LONG.size(); i++) {
      if ((bits & REDIRECTS & 1 << i) != 0) {
        names.add(LONG.get(i));
      }
    }
    return names.isEmpty() ? "" : "access control: " + String.join(", ", names);
  }
}
