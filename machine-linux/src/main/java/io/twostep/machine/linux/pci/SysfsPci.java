package io.twostep.machine.linux.pci;

import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciFunction.PciBar;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Reads {@code /sys/bus/pci/devices}. */
public final class SysfsPci {
  private static final Pattern ADDRESS = Pattern.compile("[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
  private static final int BARS = 6;

  private static final long FLAG_IO = 0x100;
  private static final long FLAG_PREFETCHABLE = 0x2000;

  private final HostPaths paths;

  /** Read below these paths. */
  public SysfsPci(HostPaths paths) {
    this.paths = paths;
  }

  /** Return every function, in order of address. */
  public List<PciFunction> list() {
    return SysfsText.names(paths.sys().resolve("bus/pci/devices")).stream().map(this::find).flatMap(Optional::stream).toList();
  }

  /** Return one function; empty if there is none at the address, or if it is no address. */
  public Optional<PciFunction> find(String address) {
    if (!ADDRESS.matcher(address).matches()) {
      return Optional.empty();
    }
    Path folder = paths.function(address);
    if (!Files.exists(folder.resolve("vendor"))) {
      return Optional.empty();
    }
    String group = SysfsText.linkName(folder.resolve("iommu_group"));
    List<String> companions = new ArrayList<>(SysfsText.names(folder.resolve("iommu_group/devices")));
    companions.remove(address);
    return Optional.of(
        new PciFunction(
            address,
            (int) SysfsText.number(folder.resolve("vendor")),
            (int) SysfsText.number(folder.resolve("device")),
            (int) SysfsText.number(folder.resolve("class")),
            SysfsText.linkName(folder.resolve("driver")),
            group.isEmpty() ? -1 : Integer.parseInt(group),
            Requester.of(paths, address),
            companions,
            bars(folder)));
  }

  /** Read lines of {@code first last flags}, all hexadecimal, the first six of them BARs. */
  private static List<PciBar> bars(Path folder) {
    List<PciBar> bars = new ArrayList<>();
    List<String> lines = SysfsText.lines(folder.resolve("resource"));
    for (int i = 0; i < BARS; i++) {
      bars.add(i < lines.size() ? bar(lines.get(i)) : new PciBar(0, 0, false, false));
    }
    return bars;
  }

  private static PciBar bar(String line) {
    String[] words = line.strip().split("\\s+", -1);
    if (words.length < 3) {
      return new PciBar(0, 0, false, false);
    }
    long first = hex(words[0]);
    long last = hex(words[1]);
    long flags = hex(words[2]);
    long length = flags == 0 || last == 0 ? 0 : last - first + 1;
    return new PciBar(first, length, (flags & FLAG_PREFETCHABLE) != 0, (flags & FLAG_IO) != 0);
  }

  private static long hex(String word) {
    return Long.parseUnsignedLong(word.startsWith("0x") ? word.substring(2) : word, 16);
  }
}
