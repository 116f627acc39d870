package io.twostep.device.nvme.wire;

/**
 * Place the head of a namespace identification descriptor, CNS 3 (Base 5.17.2.3): a list ended by a type of 0.
 *
 * <pre>
 *    0    1      2..3       4..
 *  | NIDT | NIDL | reserved | NID, NIDL bytes |
 * </pre>
 */
public final class NamespaceDescriptorLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4;

  /** Type: one of the {@code NIDT_} values. */
  public static final U8 NIDT = new U8(0);

  /** Length of the identifier in bytes. */
  public static final U8 NIDL = new U8(1);

  /** Type: IEEE extended unique identifier, 8 bytes. */
  public static final int NIDT_EUI64 = 1;

  /** Type: namespace globally unique identifier, 16 bytes. */
  public static final int NIDT_NGUID = 2;

  /** Type: UUID, 16 bytes. */
  public static final int NIDT_UUID = 3;

  /** Type: command set identifier, 1 byte. */
  public static final int NIDT_CSI = 4;

  private NamespaceDescriptorLayout() {}
}
