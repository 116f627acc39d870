package io.twostep.machine.linux.pci;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads from a function's configuration space whether it sends peers' requests up to the host bridge. PCI Express base specification, 7.7.11.
 *
 * <pre>
 * an extended capability   | 0 id u16 | 2 version 4 bits, next 12 bits |
 * access control services  | ... | 4 what it has u16 | 6 what is switched on u16 |
 * </pre>
 */
final class AccessControl {
  private static final int FIRST_EXTENDED = 0x100;
  private static final int ID = 0x000d;
  private static final int CONTROL = 6;

  /** No capability lies where another does, so there are no more than fit. */
  private static final int MOST_CAPABILITIES = (4096 - FIRST_EXTENDED) / 8;

  private static final int REQUEST_REDIRECT = 1 << 2;
  private static final int COMPLETION_REDIRECT = 1 << 3;
  private static final int EGRESS_CONTROL = 1 << 5;

  private AccessControl() {}

  /** Return why requests of peers that meet the function go up, in words; empty if they pass. What cannot be read is taken for redirecting. */
  static String redirects(Path function) {
    Path file = function.resolve("config");
    try {
      byte[] config = Files.readAllBytes(file);
      if (config.length < Files.size(file)) {
        return "access control that only root can read";
      }
      return text(control(config));
    } catch (IOException e) {
      return "access control that cannot be read";
    }
  }

  /** Return the control register, 0 where there is none: conventional functions, and express ones without the capability. */
  private static int control(byte[] config) {
    int at = FIRST_EXTENDED;
    for (int i = 0; i < MOST_CAPABILITIES && at >= FIRST_EXTENDED && at + CONTROL + 2 <= config.length; i++) {
      if (word(config, at) == ID) {
        return word(config, at + CONTROL);
      }
      at = word(config, at + 2) >>> 4;
    }
    return 0;
  }

  private static int word(byte[] config, int at) {
    return Byte.toUnsignedInt(config[at]) | Byte.toUnsignedInt(config[at + 1]) << 8;
  }

  private static String text(int control) {
    List<String> names = new ArrayList<>();
    name(names, control, REQUEST_REDIRECT, "request redirect");
    name(names, control, COMPLETION_REDIRECT, "completion redirect");
    name(names, control, EGRESS_CONTROL, "egress control");
    return names.isEmpty() ? "" : "access control: " + String.join(", ", names);
  }

  private static void name(List<String> names, int control, int bit, String name) {
    if ((control & bit) != 0) {
      names.add(name);
    }
  }
}
