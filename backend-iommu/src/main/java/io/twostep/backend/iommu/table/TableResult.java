package io.twostep.backend.iommu.table;

/** Names what a page table call came to; every code but {@link #OK} means that no translation has changed. */
public final class TableResult {
  /** Done. */
  public static final int OK = 0;

  /** Some granule of the range already translates. */
  public static final int ALREADY_LINKED = 1;

  /** Some granule of the range does not translate, and the call was to refuse holes. */
  public static final int NOT_LINKED = 2;

  /** An edge of the range lies inside a leaf larger than the granule. */
  public static final int NOT_SPLITTABLE = 3;

  /** No table page was to be had; waiting for others to free some can help. */
  public static final int TABLE_MEMORY = 4;

  /** I/O and physical address differ below the granule, or a range inside a run does not end on it. */
  public static final int MISALIGNED = 5;

  /** The range is empty, wraps, or leaves the width of I/O addresses that the format can translate. */
  public static final int OUT_OF_BOUNDS = 6;

  /** The physical range leaves the width of physical addresses that an entry can hold. */
  public static final int OUT_OF_REACH = 7;

  /** Neither read nor write was asked for, and an entry without either does not exist. */
  public static final int NO_ACCESS = 8;

  private TableResult() {}

  /** Says in words what a code means, for messages. */
  public static String describe(int result) {
    return switch (result) {
      case OK -> "done";
      case ALREADY_LINKED -> "already linked";
      case NOT_LINKED -> "not linked";
      case NOT_SPLITTABLE -> "edge inside a larger leaf";
      case TABLE_MEMORY -> "no table page left";
      case MISALIGNED -> "not aligned to the granule";
      case OUT_OF_BOUNDS -> "outside the I/O address width";
      case OUT_OF_REACH -> "outside the physical address width";
      case NO_ACCESS -> "neither read nor write";
      default -> throw new IllegalArgumentException("not a table result: " + result);
    };
  }
}
