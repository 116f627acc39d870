package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * What a device is; command and reply of DEVICE_GET_INFO.
 *
 * <pre>
 *   0 u32 argsz   4 u32 flags   8 u32 regions   12 u32 interrupt kinds
 * </pre>
 *
 * @param flags {@link #RESETTABLE}, {@link #PCI}
 * @param regions how many regions there are
 * @param interrupts how many kinds of interrupts there are
 */
public record DeviceInfo(int flags, int regions, int interrupts) {
  /** Bytes of the structure. */
  public static final int SIZE = 16;

  /** DEVICE_RESET works. */
  public static final int RESETTABLE = 1;

  /** It is a PCI function: region and interrupt indexes are those of VFIO for PCI. */
  public static final int PCI = 2;

  /**
   * Read the structure.
   *
   * @throws ProtocolException if it is too short
   */
  public static DeviceInfo read(MemorySegment payload) {
    Payload.requireArgumentSize("DEVICE_GET_INFO", payload, SIZE);
    return new DeviceInfo(Bytes.u32(payload, 4), Bytes.u32(payload, 8), Bytes.u32(payload, 12));
  }

  /** Write the structure. */
  public void write(MemorySegment to) {
    Bytes.u32(to, 0, SIZE);
    Bytes.u32(to, 4, flags);
    Bytes.u32(to, 8, regions);
    Bytes.u32(to, 12, interrupts);
  }
}
