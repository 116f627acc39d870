package io.twostep.device.nvme.wire;

/**
 * Name the arithmetic of physical region pages (Base 4.1.1): a list is an array of 64-bit page addresses.
 *
 * <pre>
 * PRP1 (any dword offset) -> | offset .. page end |
 * PRP2 = 0 | second page | list address
 * list page  | page | page | ... | page or next list |
 * </pre>
 *
 * <p>If more entries remain than the current list page has slots, its last slot holds the address of the next list page.
 */
public final class PrpLayout {
  /** Bytes of an entry. */
  public static final int ENTRY_SIZE = 8;

  /** The entry, relative to its offset. */
  public static final U64 ENTRY = new U64(0);

  /** Alignment of PRP1 and of a list address, less one: a dword and a quadword. */
  public static final int DATA_ALIGNMENT_MASK = 3;

  /** Alignment of a list address, less one. */
  public static final int LIST_ALIGNMENT_MASK = 7;

  private PrpLayout() {}

  /** Return the slots of a list page of {@code pageSize} bytes. */
  public static int entriesPerPage(int pageSize) {
    return pageSize / ENTRY_SIZE;
  }
}
