package io.twostep.tck;

/**
 * What a stack offers beyond the least there is.
 *
 * <p>Where a stack declares one, the kit proves that it works; where it does not, the kit proves that it is refused as the contract says.
 */
public enum Behavior {
  /** I/O addresses are translated: reservations exist, and what is not mapped faults. */
  TRANSLATES,
  /** Permissions are enforced in both directions: a device that may only write cannot read. */
  WRITE_ONLY,
  /**
   * A device could read what it may only write, and so is shown zeros there: what it leaves unwritten of a request FROM_DEVICE is zeros afterwards, and a sparse window has no such units.
   */
  SHOWS_WRITERS_ZEROS,
  /** Sparse windows exist. */
  SPARSE_WINDOWS,
  /** The permission of linked units can be changed. */
  CHANGES_PERMISSION,
  /** Single granules can be taken out of what one link put in. */
  SPLITS_LINKS,
  /** Unmapped memory may stay reachable until the flush policy says otherwise. */
  LAZY,
  /** Heap arrays and foreign segments can be mapped. */
  STAGES_FOREIGN_MEMORY,
  /** Ranges that do not lie one behind the other can be one range for the device, copied together. */
  COPIES_TOGETHER,
  /** What cannot be mapped where it lies is bounced. */
  BOUNCES,
  /** Contiguous memory is mapped where it lies: a device's access moves the caller's own bytes. */
  IN_PLACE,
  /** Untrusted devices are served. */
  SERVES_UNTRUSTED,
  /** Devices that do not snoop CPU caches are served. */
  SERVES_NON_COHERENT,
  /** What devices write can be tracked. */
  TRACKS_WRITES,
  /** The device reaches memory of the provider that the setup plugs beside it, by its bus address. */
  REACHES_PEERS_ON_THE_BUS,
  /** The device reaches memory of the provider that the setup plugs beside it, through the host bridge. */
  REACHES_PEERS_THROUGH_THE_HOST,
  /** Warm calls allocate heap memory: for layers that watch, and for nothing that is meant to be fast. */
  MAKES_GARBAGE
}
