package io.twostep.device.nvme;

import io.twostep.device.nvme.protection.Guard;
import io.twostep.device.nvme.protection.ProtectionFormat;
import io.twostep.device.nvme.wire.ExtendedLbaFormatLayout;
import io.twostep.device.nvme.wire.IdentifyNamespaceLayout;
import io.twostep.device.nvme.wire.LbaFormatLayout;
import io.twostep.device.nvme.wire.NvmNamespaceLayout;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What a namespace's blocks are like.
 *
 * @param blocks how many there are
 * @param blockSize data bytes of each
 * @param metadataSize metadata bytes of each
 * @param extended whether the metadata follows each block's data in one buffer
 * @param protection how they are protected; null if they are not, or in a way this driver does not interpret
 */
record NamespaceFormat(
    long blocks, int blockSize, int metadataSize, boolean extended, @Nullable ProtectionFormat protection) {
  private static final int SMALLEST_SHIFT = 9;
  private static final int LARGEST_SHIFT = 30;

  /**
   * Say what is wrong with a description; null if nothing is.
   *
   * @param data Identify Namespace
   */
  static @Nullable String wrongWith(MemorySegment data) {
    int index = IdentifyNamespaceLayout.formatIndex(IdentifyNamespaceLayout.FLBAS.get(data, 0));
    int shift = LbaFormatLayout.LBADS.get(LbaFormatLayout.WORD.get(data, IdentifyNamespaceLayout.lbaFormat(index)));
    long blocks = IdentifyNamespaceLayout.NSZE.get(data, 0);
    if (shift < SMALLEST_SHIFT || shift > LARGEST_SHIFT) {
      return "blocks of 2^LBADS bytes, LBADS " + shift + ", which is not " + SMALLEST_SHIFT + " to " + LARGEST_SHIFT;
    }
    if (Long.compareUnsigned(blocks, Long.MAX_VALUE >> shift) > 0) {
      return "0x" + Long.toHexString(blocks) + " blocks of " + (1 << shift) + " bytes, which are 2^63 bytes or more";
    }
    return null;
  }

  /**
   * Read the format, with which nothing is wrong.
   *
   * @param data Identify Namespace
   * @param nvm the NVM command set's own data of the namespace; null if the controller has none
   */
  static NamespaceFormat of(MemorySegment data, @Nullable MemorySegment nvm) {
    int flbas = IdentifyNamespaceLayout.FLBAS.get(data, 0);
    int index = IdentifyNamespaceLayout.formatIndex(flbas);
    int word = LbaFormatLayout.WORD.get(data, IdentifyNamespaceLayout.lbaFormat(index));
    int blockSize = 1 << LbaFormatLayout.LBADS.get(word);
    int metadataSize = LbaFormatLayout.MS.get(word);
    return new NamespaceFormat(
        IdentifyNamespaceLayout.NSZE.get(data, 0),
        blockSize,
        metadataSize,
        metadataSize != 0 && IdentifyNamespaceLayout.FLBAS_EXTENDED.isSet(flbas),
        protection(data, nvm, index, blockSize, metadataSize));
  }

  private static @Nullable ProtectionFormat protection(
      MemorySegment data, @Nullable MemorySegment nvm, int index, int blockSize, int metadataSize) {
    int dps = IdentifyNamespaceLayout.DPS.get(data, 0);
    int type = IdentifyNamespaceLayout.DPS_TYPE.get(dps);
    if (type < 1 || type > 3) {
      return null;
    }
    int word = nvm == null ? 0 : ExtendedLbaFormatLayout.WORD.get(nvm, NvmNamespaceLayout.extendedFormat(index));
    Guard guard =
        switch (ExtendedLbaFormatLayout.PIF.get(word)) {
          case ExtendedLbaFormatLayout.PIF_GUARD_16 -> Guard.CRC16;
          case ExtendedLbaFormatLayout.PIF_GUARD_64 -> Guard.CRC64;
          default -> null;
        };
    if (guard == null || ExtendedLbaFormatLayout.STS.get(word) != 0 || metadataSize < guard.tupleSize()) {
      return null;
    }
    return new ProtectionFormat(
        blockSize, metadataSize, type, IdentifyNamespaceLayout.DPS_FIRST.isSet(dps), guard);
  }

  /** Tell whether the controller can insert and strip all the metadata there is. */
  boolean isControllerProtectable() {
    return protection != null && protection.isTupleOnly();
  }
}
