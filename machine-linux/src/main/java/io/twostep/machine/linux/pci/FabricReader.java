package io.twostep.machine.linux.pci;

import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.FabricNode.Role;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** Reads the PCI tree once: a function's folder lies in that of the port above it, and outermost in that of its host bridge. */
final class FabricReader {
  private static final Pattern ROOT_BUS = Pattern.compile("pci([0-9a-f]{4,}:[0-9a-f]{2})");

  /** Class code of bridges from PCI to PCI, the upper 16 of its 24 bits: what ports of switches and of root complexes are. */
  private static final int PORTS = 0x0604;

  private final HostPaths paths;
  private final Map<String, PciFunction> functions = new LinkedHashMap<>();
  private final Map<String, FabricNode> nodes = new LinkedHashMap<>();

  private FabricReader(HostPaths paths) {
    this.paths = paths;
    for (PciFunction function : new SysfsPci(paths).list()) {
      functions.put(function.address(), function);
    }
  }

  /** Return the nodes by name, each after the one above it. */
  static Map<String, FabricNode> read(HostPaths paths) {
    FabricReader reader = new FabricReader(paths);
    reader.functions.keySet().forEach(reader::add);
    return reader.nodes;
  }

  private void add(String address) {
    FabricNode above = null;
    for (Path part : folder(address)) {
      String name = part.toString();
      PciFunction function = functions.get(name);
      if (ROOT_BUS.matcher(name).matches()) {
        above = nodes.computeIfAbsent(name.substring("pci".length()), this::hostBridge);
      } else if (function != null && above != null) {
        FabricNode uplink = above;
        above = nodes.computeIfAbsent(name, n -> node(function, uplink));
      }
    }
  }

  /** Return where a function's folder really is; where it is named if that cannot be found out, which tells of no tree. */
  private Path folder(String address) {
    Path named = paths.function(address);
    try {
      return named.toRealPath();
    } catch (IOException e) {
      return named;
    }
  }

  private FabricNode node(PciFunction function, FabricNode uplink) {
    Role role = function.classCode() >>> 8 == PORTS ? Role.PORT : Role.DEVICE;
    return new FabricNode(function.address(), role, model(function), AccessControl.redirects(paths.function(function.address())), uplink);
  }

  /** Return a host bridge, which is known by the first function of its bus: itself, as function 0 of device 0, or a port of its root complex. */
  private FabricNode hostBridge(String bus) {
    String model =
        functions.values().stream()
            .filter(f -> f.address().startsWith(bus + ":"))
            .findFirst()
            .filter(f -> f.address().endsWith(":00.0") || f.classCode() >>> 8 == PORTS)
            .map(FabricReader::model)
            .orElse("unknown");
    return new FabricNode(bus, Role.HOST_BRIDGE, model, "", null);
  }

  private static String model(PciFunction function) {
    return "%04x:%04x".formatted(function.vendor(), function.device());
  }
}
