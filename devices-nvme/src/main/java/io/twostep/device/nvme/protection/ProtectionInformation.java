package io.twostep.device.nvme.protection;

import io.twostep.device.nvme.wire.ProtectionTupleLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Make and check the tuple of one block. Data and metadata may be in one segment (extended blocks) or in two; neither needs alignment.
 *
 * <p>Allocates nothing; safe for any thread.
 */
public final class ProtectionInformation {
  /** To check: the guard. */
  public static final int CHECK_GUARD = 4;

  /** To check: the application tag under its mask. */
  public static final int CHECK_APPLICATION = 2;

  /** To check: the reference tag, which type 3 does not have. */
  public static final int CHECK_REFERENCE = 1;

  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private ProtectionInformation() {}

  /** Store the tuple of one block into its metadata; the rest of the metadata stays and, where it precedes the tuple, is guarded. */
  public static void generate(
      ProtectionFormat format,
      MemorySegment data,
      long dataOffset,
      MemorySegment metadata,
      long metadataOffset,
      int applicationTag,
      long referenceTag) {
    long tuple = metadataOffset + format.tupleOffset();
    long guard = guard(format, data, dataOffset, metadata, metadataOffset);
    if (format.guard() == Guard.CRC16) {
      metadata.set(SHORT, tuple + ProtectionTupleLayout.GUARD_16, (short) guard);
      metadata.set(SHORT, tuple + ProtectionTupleLayout.APPLICATION_16, (short) applicationTag);
      metadata.set(INT, tuple + ProtectionTupleLayout.REFERENCE_16, (int) referenceTag);
    } else {
      metadata.set(LONG, tuple + ProtectionTupleLayout.GUARD_64, guard);
      metadata.set(LONG, tuple + ProtectionTupleLayout.APPLICATION_64, packed(applicationTag, referenceTag));
    }
  }

  /**
   * Check the tuple of one block.
   *
   * @param checks {@code CHECK_} bits
   * @param applicationMask bits of the application tag that must match
   * @return 0, or the first check that failed: guard, then application tag, then reference tag
   */
  public static int verify(
      ProtectionFormat format,
      MemorySegment data,
      long dataOffset,
      MemorySegment metadata,
      long metadataOffset,
      int checks,
      int applicationTag,
      int applicationMask,
      long referenceTag) {
    long tuple = metadataOffset + format.tupleOffset();
    int application = applicationTag(format, metadata, tuple);
    long reference = referenceTag(format, metadata, tuple);
    if (isEscape(format, application, reference)) {
      return 0;
    }
    if ((checks & CHECK_GUARD) != 0
        && storedGuard(format, metadata, tuple) != guard(format, data, dataOffset, metadata, metadataOffset)) {
      return CHECK_GUARD;
    }
    if ((checks & CHECK_APPLICATION) != 0 && ((application ^ applicationTag) & applicationMask & 0xffff) != 0) {
      return CHECK_APPLICATION;
    }
    if ((checks & CHECK_REFERENCE) != 0 && format.type() != 3 && reference != (referenceTag & format.guard().referenceMask())) {
      return CHECK_REFERENCE;
    }
    return 0;
  }

  private static boolean isEscape(ProtectionFormat format, int application, long reference) {
    return application == ProtectionTupleLayout.ESCAPE_APPLICATION
        && (format.type() != 3 || reference == format.guard().referenceMask());
  }

  private static long guard(
      ProtectionFormat format, MemorySegment data, long dataOffset, MemorySegment metadata, long metadataOffset) {
    int covered = format.tupleOffset();
    if (format.guard() == Guard.CRC16) {
      int crc = Crc16T10Dif.update(0, data, dataOffset, format.blockSize());
      return Crc16T10Dif.update(crc, metadata, metadataOffset, covered);
    }
    long crc = Crc64Nvme.update(0, data, dataOffset, format.blockSize());
    return Crc64Nvme.update(crc, metadata, metadataOffset, covered);
  }

  private static long storedGuard(ProtectionFormat format, MemorySegment metadata, long tuple) {
    return format.guard() == Guard.CRC16
        ? Short.toUnsignedLong(metadata.get(SHORT, tuple + ProtectionTupleLayout.GUARD_16))
        : metadata.get(LONG, tuple + ProtectionTupleLayout.GUARD_64);
  }

  private static int applicationTag(ProtectionFormat format, MemorySegment metadata, long tuple) {
    return Short.toUnsignedInt(
        metadata.get(
            SHORT,
            tuple
                + (format.guard() == Guard.CRC16
                    ? ProtectionTupleLayout.APPLICATION_16
                    : ProtectionTupleLayout.APPLICATION_64)));
  }

  private static long referenceTag(ProtectionFormat format, MemorySegment metadata, long tuple) {
    return format.guard() == Guard.CRC16
        ? Integer.toUnsignedLong(metadata.get(INT, tuple + ProtectionTupleLayout.REFERENCE_16))
        : metadata.get(LONG, tuple + ProtectionTupleLayout.APPLICATION_64) & Guard.CRC64.referenceMask();
  }

  /** The application tag and the 48-bit reference tag are neighbours: one big-endian word. */
  private static long packed(int applicationTag, long referenceTag) {
    return ((long) applicationTag << 48) | (referenceTag & Guard.CRC64.referenceMask());
  }
}
