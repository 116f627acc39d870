package io.twostep.machine.linux.vfiouser.protocol;

/** Regions of a PCI function, as VFIO numbers them. */
public final class RegionIndex {
  /** How many BARs come first. */
  public static final int BARS = 6;

  /** Configuration space. */
  public static final int CONFIG = 7;

  /** How many regions a PCI function has. */
  public static final int COUNT = 9;

  private RegionIndex() {}
}
