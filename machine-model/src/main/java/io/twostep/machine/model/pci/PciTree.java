package io.twostep.machine.model.pci;

import io.twostep.machine.model.pci.PciPort.Forward;
import io.twostep.machine.model.pci.PciPort.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads a tree of host bridges, root ports and switches, as the setting {@code tree} has it.
 *
 * <pre>
 *   host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01-0f; upstream-port 01:00.0 bus=02-0f;
 *   downstream-port 02:00.0 bus=03 acs=rr+cr; downstream-port 02:01.0 bus=04
 * </pre>
 *
 * <p>Parents come first. A port lies on the first bus of the node above it and has a range of buses of its own inside that one's; devices are plugged at
 * addresses on those buses.
 */
final class PciTree {
  private static final Pattern PORT = Pattern.compile("(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([01][0-9a-f])\\.([0-7])");
  private static final Pattern BUSES = Pattern.compile("([0-9a-f]{2})(?:-([0-9a-f]{2}))?");
  private static final Pattern MODEL = Pattern.compile("[0-9a-f]{4}:[0-9a-f]{4}");

  private final List<PciPort> ports = new ArrayList<>();

  private PciTree() {}

  /**
   * Read a tree.
   *
   * @return the nodes, parents first
   * @throws IllegalArgumentException naming the part that does not fit, and the rule
   */
  static List<PciPort> parse(String text) {
    PciTree tree = new PciTree();
    for (String part : text.split("[;\n]", -1)) {
      if (!part.isBlank()) {
        tree.add(part.strip().toLowerCase(Locale.ROOT));
      }
    }
    return List.copyOf(tree.ports);
  }

  private void add(String part) {
    String[] words = part.split("\\s+", -1);
    Kind kind = kind(words[0]);
    if (kind == null || words.length < 2) {
      throw wrong(part, "it begins with host-bridge, root-port, upstream-port or downstream-port, and what it is or where");
    }
    Options options = new Options(part, words);
    ports.add(kind == Kind.HOST_BRIDGE ? hostBridge(part, words[1], options) : port(part, kind, words[1], options));
  }

  private static @Nullable Kind kind(String word) {
    for (Kind kind : Kind.values()) {
      if (kind.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(word)) {
        return kind;
      }
    }
    return null;
  }

  private PciPort hostBridge(String part, String model, Options options) {
    if (!MODEL.matcher(model).matches()) {
      throw wrong(part, "a host bridge is named by vendor:device, four hexadecimal digits each");
    }
    for (PciPort other : ports) {
      if (other.kind == Kind.HOST_BRIDGE && other.domain == options.domain && other.firstBus <= options.lastBus && options.firstBus <= other.lastBus) {
        throw wrong(part, "its buses overlap those of " + other);
      }
    }
    String name = "%04x:%02x".formatted(options.domain, options.firstBus);
    return new PciPort(
        Kind.HOST_BRIDGE, name, model, options.domain, options.firstBus, options.lastBus, null, options.forward, options.offset, 0);
  }

  private PciPort port(String part, Kind kind, String address, Options options) {
    Matcher m = PORT.matcher(address);
    if (!m.matches()) {
      throw wrong(part, "a port's address looks like 00:01.0 or 0000:00:01.0");
    }
    int domain = m.group(1) == null ? 0 : hex(m.group(1));
    PciPort parent = parentAt(domain, hex(m.group(2)));
    if (parent == null || !fits(kind, parent.kind)) {
      throw wrong(
          part,
          "nothing above it has its bus as first bus, or is of the right kind: root ports are below host bridges, upstream ports below root or downstream ports, downstream"
              + " ports below upstream ports");
    }
    String name = "%04x:%02x:%02x.%x".formatted(domain, hex(m.group(2)), hex(m.group(3)), hex(m.group(4)));
    if (options.firstBus <= parent.firstBus || options.lastBus > parent.lastBus) {
      throw wrong(part, "its buses must lie inside those of " + parent + " and behind its first");
    }
    for (PciPort other : ports) {
      if (other.name.equals(name) || (other.parent == parent && other.firstBus <= options.lastBus && options.firstBus <= other.lastBus)) {
        throw wrong(part, "its address is taken or its buses overlap those of " + other);
      }
    }
    return new PciPort(kind, name, "", domain, options.firstBus, options.lastBus, parent, Forward.NONE, 0, options.accessControl);
  }

  private @Nullable PciPort parentAt(int domain, int bus) {
    for (PciPort port : ports) {
      if (port.domain == domain && port.firstBus == bus) {
        return port;
      }
    }
    return null;
  }

  private static boolean fits(Kind kind, Kind parent) {
    return switch (kind) {
      case HOST_BRIDGE -> false;
      case ROOT_PORT -> parent == Kind.HOST_BRIDGE;
      case UPSTREAM_PORT -> parent == Kind.ROOT_PORT || parent == Kind.DOWNSTREAM_PORT;
      case DOWNSTREAM_PORT -> parent == Kind.UPSTREAM_PORT;
    };
  }

  private static IllegalArgumentException wrong(String part, String rule) {
    return new IllegalArgumentException("setting 'tree' of model: '" + part + "': " + rule);
  }

  private static int hex(String digits) {
    return Integer.parseInt(digits, 16);
  }

  /** The words behind a node's name. */
  private static final class Options {
    int domain;
    int firstBus = -1;
    int lastBus;
    Forward forward = Forward.ANY;
    long offset = HostBridge.BUS_TO_PHYS;
    int accessControl;

    Options(String part, String[] words) {
      for (int i = 2; i < words.length; i++) {
        read(part, words[i]);
      }
      if (firstBus < 0) {
        throw wrong(part, "its buses are missing: bus=03 or bus=03-0f");
      }
      if ((offset & 0xfff) != 0) {
        throw wrong(part, "the offset between bus and physical addresses is whole pages");
      }
    }

    private void read(String part, String word) {
      int equals = word.indexOf('=');
      String value = word.substring(equals + 1);
      try {
        switch (equals < 0 ? "" : word.substring(0, equals)) {
          case "domain" -> domain = hex(value);
          case "bus" -> buses(part, value);
          case "acs" -> accessControl = AccessControl.parse(value);
          case "offset" -> offset = Long.decode(value);
          case "forward" -> forward = forward(value);
          default -> throw wrong(part, "'" + word + "' must be bus=, domain=, acs=, offset= or forward=any|same|none");
        }
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException("setting 'tree' of model: '" + part + "': '" + word + "' must be a number", e);
      }
    }

    private static Forward forward(String value) {
      for (Forward forward : Forward.values()) {
        if (forward.name().toLowerCase(Locale.ROOT).equals(value)) {
          return forward;
        }
      }
      throw wrong("forward=" + value, "a host bridge forwards any, same or none");
    }

    private void buses(String part, String value) {
      Matcher m = BUSES.matcher(value);
      if (!m.matches()) {
        throw wrong(part, "buses look like 03 or 03-0f");
      }
      firstBus = hex(m.group(1));
      lastBus = m.group(2) == null ? firstBus : hex(m.group(2));
      if (lastBus < firstBus) {
        throw wrong(part, "the last bus comes before the first");
      }
    }
  }
}
