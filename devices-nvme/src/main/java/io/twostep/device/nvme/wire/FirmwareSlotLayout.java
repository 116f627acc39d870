package io.twostep.device.nvme.wire;

/**
 * Place the fields of the firmware slot log page, page 3 (Base 5.16.1.4).
 *
 * <pre>
 *  0  AFI    8  revision of slot 1 .. 7, ASCII, 8 bytes each
 * </pre>
 */
public final class FirmwareSlotLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 512;

  /** Active slot in bits 2:0. */
  public static final U8 AFI = new U8(0);

  /** Revision in slot 1. */
  public static final Bytes REVISION_1 = new Bytes(8, 8);

  private FirmwareSlotLayout() {}
}
