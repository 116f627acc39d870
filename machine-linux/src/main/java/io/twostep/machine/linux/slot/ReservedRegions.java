package io.twostep.machine.linux.slot;

import io.twostep.dma.spi.AddressRange;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.pci.SysfsText;
import java.util.ArrayList;
import java.util.List;

/** Reads the I/O addresses of a group that are never translated, lines of {@code first last kind}. */
final class ReservedRegions {
  private ReservedRegions() {}

  static List<AddressRange> read(HostPaths paths, int group) {
    List<AddressRange> regions = new ArrayList<>();
    for (String line : SysfsText.lines(paths.sys().resolve("kernel/iommu_groups/" + group + "/reserved_regions"))) {
      String[] words = line.strip().split("\\s+", -1);
      if (words.length >= 3) {
        regions.add(new AddressRange(Long.parseUnsignedLong(words[0].substring(2), 16), Long.parseUnsignedLong(words[1].substring(2), 16), words[2]));
      }
    }
    return regions;
  }
}
