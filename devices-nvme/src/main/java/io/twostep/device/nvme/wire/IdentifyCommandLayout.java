package io.twostep.device.nvme.wire;

/**
 * Place what identify adds to the submission queue entry (Base 5.17).
 *
 * <pre>
 *     31     16 15  8 7   0
 * 40 | CNTID   | rsv | CNS |
 *     31  24 23 16 15     0
 * 44 | CSI  | rsv | CNSSID |
 * </pre>
 */
public final class IdentifyCommandLayout {
  /** Bytes of every identify data structure. */
  public static final int DATA_SIZE = 4096;

  /** Which structure: one of the {@code CNS_} values. */
  public static final U8 CNS = new U8(40);

  /** Controller id. */
  public static final U16 CNTID = new U16(42);

  /** CNS specific identifier. */
  public static final U16 CNSSID = new U16(44);

  /** Command set identifier: {@link #CSI_NVM}. */
  public static final U8 CSI = new U8(47);

  /** {@link IdentifyNamespaceLayout}. */
  public static final int CNS_NAMESPACE = 0x00;

  /** {@link IdentifyControllerLayout}. */
  public static final int CNS_CONTROLLER = 0x01;

  /** Ids of the active namespaces above NSID, ascending, 4 bytes each, ended by 0. */
  public static final int CNS_ACTIVE_NAMESPACES = 0x02;

  /** {@link NamespaceDescriptorLayout}. */
  public static final int CNS_NAMESPACE_DESCRIPTORS = 0x03;

  /** {@link NvmNamespaceLayout}. */
  public static final int CNS_COMMAND_SET_NAMESPACE = 0x05;

  /** {@link NvmControllerLayout}. */
  public static final int CNS_COMMAND_SET_CONTROLLER = 0x06;

  /** {@link IndependentNamespaceLayout}. */
  public static final int CNS_INDEPENDENT_NAMESPACE = 0x08;

  /** The NVM command set. */
  public static final int CSI_NVM = 0;

  private IdentifyCommandLayout() {}
}
