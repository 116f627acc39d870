package io.twostep.device.nvme.wire;

/**
 * Name the bits of CC, the controller configuration (Base 3.1.3.5).
 *
 * <pre>
 * 31 25  24   23    20 19    16 15 14 13 11 10  7 6   4 3  1 0
 * |rsv|CRIME| IOCQES | IOSQES | SHN | AMS | MPS | CSS | rsv |EN|
 * </pre>
 */
public final class CcLayout {
  /** Enable: 1 starts the controller, 0 resets it. */
  public static final Bits EN = Bits.bit(0);

  /** Command set selected: {@link #CSS_NVM} or {@link #CSS_ALL}. */
  public static final Bits CSS = new Bits(6, 4);

  /** Memory page size in use: {@code 1 << (12 + MPS)} bytes. */
  public static final Bits MPS = new Bits(10, 7);

  /** Arbitration mechanism in use: 0 is round robin. */
  public static final Bits AMS = new Bits(13, 11);

  /** Shutdown notification: {@link #SHN_NONE}, {@link #SHN_NORMAL} or {@link #SHN_ABRUPT}. */
  public static final Bits SHN = new Bits(15, 14);

  /** I/O submission queue entry size, as a power of two: 6. */
  public static final Bits IOSQES = new Bits(19, 16);

  /** I/O completion queue entry size, as a power of two: 4. */
  public static final Bits IOCQES = new Bits(23, 20);

  /** Become ready before the media is. */
  public static final Bits CRIME = Bits.bit(24);

  /** In CSS: the NVM command set. */
  public static final int CSS_NVM = 0;

  /** In CSS: all command sets that the controller supports. */
  public static final int CSS_ALL = 6;

  /** In SHN: no shutdown asked for. */
  public static final int SHN_NONE = 0;

  /** In SHN: a normal shutdown. */
  public static final int SHN_NORMAL = 1;

  /** In SHN: an abrupt shutdown. */
  public static final int SHN_ABRUPT = 2;

  private CcLayout() {}
}
