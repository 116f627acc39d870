package io.twostep.machine.linux;

import io.twostep.machine.linux.pci.SysfsPci;
import java.util.List;
import java.util.Optional;

/** The PCI functions of this computer. */
public final class PciInventory {
  private PciInventory() {}

  /** Return every function, in order of address. */
  public static List<PciFunction> list() {
    return list(HostPaths.USUAL);
  }

  /** Return every function of the computer whose file systems are mounted elsewhere. */
  public static List<PciFunction> list(HostPaths paths) {
    return new SysfsPci(paths).list();
  }

  /** Return one function; empty if there is none at the address. */
  public static Optional<PciFunction> find(HostPaths paths, String address) {
    return new SysfsPci(paths).find(address);
  }
}
