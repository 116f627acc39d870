package io.twostep.device.nvme.model;

import io.twostep.device.nvme.protection.Guard;
import io.twostep.device.nvme.protection.ProtectionFormat;
import io.twostep.device.nvme.protection.ProtectionInformation;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.MemorySegment;

/** The fields of the command in hand that name blocks. Reused. */
final class BlockCommand {
  long lba;
  long blocks;

  /** Whether the controller inserts or strips the protection information. */
  boolean inserts;

  /** Whether the blocks must be durable when the command completes. */
  boolean forced;

  /** What to check: bits of {@link ProtectionInformation}. */
  int checks;

  int applicationTag;
  int applicationMask;
  long referenceTag;

  /** Read the fields and check what does not depend on data; returns a status code. */
  int load(MemorySegment sqe, long base, Namespace namespace) {
    lba = ReadWriteCommandLayout.SLBA.get(sqe, base);
    blocks = ReadWriteCommandLayout.NLB.get(sqe, base) + 1L;
    if (!namespace.contains(lba, blocks)) {
      return StatusCode.LBA_OUT_OF_RANGE;
    }
    forced = ReadWriteCommandLayout.FUA.isSet(ReadWriteCommandLayout.CONTROL.get(sqe, base));
    inserts = false;
    checks = 0;
    ProtectionFormat format = namespace.protection;
    return format == null ? StatusCode.SUCCESS : loadProtection(sqe, base, format);
  }

  private int loadProtection(MemorySegment sqe, long base, ProtectionFormat format) {
    int control = ReadWriteCommandLayout.CONTROL.get(sqe, base);
    inserts = ReadWriteCommandLayout.PRACT.isSet(control);
    checks =
        (ReadWriteCommandLayout.PRCHK_GUARD.isSet(control) ? ProtectionInformation.CHECK_GUARD : 0)
            | (ReadWriteCommandLayout.PRCHK_APPLICATION.isSet(control) ? ProtectionInformation.CHECK_APPLICATION : 0)
            | (ReadWriteCommandLayout.PRCHK_REFERENCE.isSet(control) ? ProtectionInformation.CHECK_REFERENCE : 0);
    applicationTag = ReadWriteCommandLayout.APPLICATION_TAG.get(sqe, base);
    applicationMask = ReadWriteCommandLayout.APPLICATION_MASK.get(sqe, base);
    referenceTag = ReadWriteCommandLayout.REFERENCE_TAG.getUnsigned(sqe, base);
    if (format.guard() == Guard.CRC64) {
      referenceTag |= ReadWriteCommandLayout.REFERENCE_TAG_HIGH.getUnsigned(sqe, base) << 32;
    }
    boolean usesReference = (checks & ProtectionInformation.CHECK_REFERENCE) != 0;
    boolean wrongSeed = format.type() == 1 && (usesReference || inserts) && referenceTag != format.referenceTagOf(lba);
    return wrongSeed || (format.type() == 3 && usesReference)
        ? StatusCode.INVALID_PROTECTION_INFORMATION
        : StatusCode.SUCCESS;
  }

  /** Tell whether the metadata of this command is made and taken away by the controller, so that none is transferred. */
  boolean keepsMetadata(Namespace namespace) {
    ProtectionFormat format = namespace.protection;
    return inserts && format != null && format.isTupleOnly();
  }

  /** Return the data bytes that the command transfers. */
  long dataLength(Namespace namespace) {
    return blocks * (keepsMetadata(namespace) ? namespace.config.blockSize() : namespace.transferSize());
  }

  /** Return the bytes of the separate metadata that the command transfers. */
  long metadataLength(Namespace namespace) {
    return namespace.hasMetadataBuffer() && !keepsMetadata(namespace) ? blocks * namespace.metadataSize : 0;
  }
}
