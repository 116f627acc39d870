package io.twostep.dma.spi;

import java.util.HexFormat;

/**
 * One refused access of a device.
 *
 * @param device the requester
 * @param iova the first address that was refused
 * @param write whether the device wanted to write
 * @param cause what the hardware found
 */
public record FaultRecord(DeviceAddress device, long iova, boolean write, Cause cause) {
  /** What the hardware found. */
  public enum Cause {
    /** No translation. */
    NOT_PRESENT,
    /** A translation that was linked but not synced: the tables have it, and the hardware was not told. Only a modelled machine can tell it from others. */
    NOT_PUBLISHED,
    /** A translation without the permission. */
    PERMISSION,
    /** An address beyond the width of the tables. */
    BEYOND_WIDTH,
    /** A table or leaf with reserved bits set, or a table outside memory. */
    MALFORMED_TABLE,
    /** An address that is never translated, whatever the tables say: an interrupt window, a bus window, or beyond the bus. */
    RESERVED,
    /** The address space lets nothing through. */
    BLOCKED
  }

  @Override
  public String toString() {
    return device + ": " + (write ? "write to 0x" : "read of 0x") + HexFormat.of().toHexDigits(iova) + " refused: " + cause;
  }
}
