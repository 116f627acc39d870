package io.twostep.device.nvme.protection;

/**
 * How the blocks of a namespace are protected (NVM 5.2).
 *
 * @param blockSize data bytes of a block
 * @param metadataSize metadata bytes of a block
 * @param type 1 to 3: types 1 and 2 check a reference tag that counts blocks, type 3 leaves it to the application
 * @param first whether the tuple is the first bytes of the metadata, else the last
 * @param guard the checksum
 */
public record ProtectionFormat(int blockSize, int metadataSize, int type, boolean first, Guard guard) {
  /** Check that the metadata holds a tuple. */
  public ProtectionFormat {
    if (type < 1 || type > 3) {
      throw new IllegalArgumentException("protection type must be 1, 2 or 3: " + type);
    }
    if (metadataSize < guard.tupleSize()) {
      throw new IllegalArgumentException(
          "metadata of " + metadataSize + " bytes does not hold a tuple of " + guard.tupleSize() + " bytes");
    }
  }

  /** Return where the tuple begins in a block's metadata; up to there the guard covers the metadata too. */
  public int tupleOffset() {
    return first ? 0 : metadataSize - guard.tupleSize();
  }

  /** Tell whether the metadata is nothing but the tuple, so that a controller can insert and strip it. */
  public boolean isTupleOnly() {
    return metadataSize == guard.tupleSize();
  }

  /** Return the reference tag of the block {@code index} blocks after one whose tag is {@code initial}. */
  public long referenceTag(long initial, long index) {
    return (type == 3 ? initial : initial + index) & guard.referenceMask();
  }

  /** Return the initial reference tag that type 1 demands for a first block. */
  public long referenceTagOf(long lba) {
    return lba & guard.referenceMask();
  }
}
