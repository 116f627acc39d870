package io.twostep.machine.linux.pci;

import io.twostep.machine.linux.HostPaths;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Tells by which address the IOMMU knows the requests of a function: behind a bridge to conventional PCI, where requests have no id, by the bridge's. PCI Express to PCI bridge specification, 2.3.
 *
 * <pre>
 * header of a bridge    | 06 status, bit 4 has capabilities | 0e type, 1 | 19 secondary bus | 34 first capability |
 * express capability    | 0 id 0x10 | 1 next | 2 bits 7-4 what it is: 7 bridge from express to PCI |
 * </pre>
 */
final class Requester {
  private static final int STATUS = 0x06;
  private static final int HAS_CAPABILITIES = 1 << 4;
  private static final int HEADER_TYPE = 0x0e;
  private static final int BRIDGE = 1;
  private static final int SECONDARY_BUS = 0x19;
  private static final int CAPABILITIES = 0x34;
  private static final int FIRST_CAPABILITY = 0x40;
  private static final int MOST_CAPABILITIES = 48;
  private static final int EXPRESS = 0x10;
  private static final int EXPRESS_TO_PCI = 7;
  private static final int PCI_TO_EXPRESS = 8;
  private static final int CONVENTIONAL = -1;
  private static final int UNKNOWN = -2;

  private Requester() {}

  /** Return the address; the function's own where no such bridge is above it, or where only root may read what is. */
  static String of(HostPaths paths, String address) {
    Path folder;
    try {
      folder = paths.function(address).toRealPath();
    } catch (IOException e) {
      return address;
    }
    // The outermost bridge has the last word.
    for (Path part : folder) {
      String above = part.toString();
      byte[] config = config(paths.function(above));
      if (isBridge(config) && !above.equals(address)) {
        switch (kind(config)) {
          case EXPRESS_TO_PCI -> {
            return "%s:%02x:00.0".formatted(address.substring(0, address.indexOf(':')), Byte.toUnsignedInt(config[SECONDARY_BUS]));
          }
          case CONVENTIONAL, PCI_TO_EXPRESS -> {
            return above;
          }
          default -> {}
        }
      }
    }
    return address;
  }

  private static byte[] config(Path function) {
    try {
      return Files.readAllBytes(function.resolve("config"));
    } catch (IOException e) {
      return new byte[0];
    }
  }

  private static boolean isBridge(byte[] config) {
    return config.length >= FIRST_CAPABILITY && (config[HEADER_TYPE] & 0x7f) == BRIDGE;
  }

  /** Returns the kind of express port or bridge, CONVENTIONAL for a bridge that is not express. */
  private static int kind(byte[] config) {
    if ((config[STATUS] & HAS_CAPABILITIES) == 0) {
      return CONVENTIONAL;
    }
    int at = config[CAPABILITIES] & 0xfc;
    for (int i = 0; i < MOST_CAPABILITIES && at >= FIRST_CAPABILITY; i++) {
      if (at + 2 >= config.length) {
        return UNKNOWN;
      }
      if (config[at] == EXPRESS) {
        return config[at + 2] >>> 4 & 0xf;
      }
      at = config[at + 1] & 0xfc;
    }
    return CONVENTIONAL;
  }
}
