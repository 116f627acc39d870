package io.twostep.machine.linux.vfio;

import java.util.List;

/**
 * A region of a device: a BAR, or its configuration space.
 *
 * @param index the region's index; BARs are 0 to 5
 * @param length bytes; 0 if the device has no such region
 * @param offset where it lies in the device's file
 * @param mappable the parts that can be mapped; empty for none
 */
public record VfioRegion(int index, long length, long offset, List<Area> mappable) {
  /** Copy the list. */
  public VfioRegion {
    mappable = List.copyOf(mappable);
  }

  /**
   * A part of a region.
   *
   * @param offset first byte within the region
   * @param length bytes
   */
  public record Area(long offset, long length) {}

  /** Tell whether all of it can be mapped in one piece. */
  public boolean isWhollyMappable() {
    return mappable.size() == 1 && mappable.getFirst().equals(new Area(0, length));
  }
}
