package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.IdentifyControllerLayout;

/**
 * What a controller's SGLS field allows.
 *
 * @param data whether data may be described by an SGL
 * @param dwordAligned whether addresses and lengths must be multiples of four
 * @param metadata whether MPTR may point at an SGL
 */
public record SglSupport(boolean data, boolean dwordAligned, boolean metadata) {
  /** No SGLs: admin queues, and controllers without. */
  public static final SglSupport NONE = new SglSupport(false, false, false);

  /** Read the support out of Identify Controller's SGLS; reserved values mean none. */
  public static SglSupport of(int sgls) {
    int support = IdentifyControllerLayout.SGLS_SUPPORT.get(sgls);
    if (support != IdentifyControllerLayout.SGLS_BYTE && support != IdentifyControllerLayout.SGLS_DWORD) {
      return NONE;
    }
    return new SglSupport(
        true, support == IdentifyControllerLayout.SGLS_DWORD, IdentifyControllerLayout.SGLS_METADATA.isSet(sgls));
  }

  /** Tell whether data whose starts and lengths have these bits can be described. */
  public boolean permits(long alignmentMask) {
    return data && (!dwordAligned || (alignmentMask & 3) == 0);
  }
}
