package io.twostep.device.nvme.model;

import io.twostep.device.nvme.protection.Guard;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of one namespace.
 *
 * @param file where the blocks are kept, byte for byte; null for memory. Metadata is kept beside it, in {@code FILE.metadata}
 * @param blocks size in blocks
 * @param blockSize data bytes of a block: a power of two from 512 to 65,536
 * @param metadataSize metadata bytes of a block; 0 for none
 * @param extended whether metadata follows each block in the data buffer, else it has a buffer of its own
 * @param protectionType 0 for none, 1 to 3
 * @param protectionFirst whether the protection information is the first bytes of the metadata, else the last
 * @param guard the checksum of the protection information
 * @param readOnly whether the namespace is write protected
 */
public record NamespaceConfig(
    @Nullable Path file,
    long blocks,
    int blockSize,
    int metadataSize,
    boolean extended,
    int protectionType,
    boolean protectionFirst,
    ProtectionGuard guard,
    boolean readOnly) {

  /** The checksums that protection information may have. */
  public enum ProtectionGuard {
    /** 16 bits; tuples of 8 bytes. */
    CRC16(Guard.CRC16),
    /** 64 bits; tuples of 16 bytes. */
    CRC64(Guard.CRC64);

    private final Guard guard;

    ProtectionGuard(Guard guard) {
      this.guard = guard;
    }

    Guard guard() {
      return guard;
    }
  }

  /** Check the parameters against each other. */
  public NamespaceConfig {
    if (blockSize < 512 || blockSize > 65536 || Integer.bitCount(blockSize) != 1) {
      throw new IllegalArgumentException("block size must be a power of two from 512 to 65536, not " + blockSize);
    }
    if (blocks <= 0 || blocks > Long.MAX_VALUE / blockSize) {
      throw new IllegalArgumentException("a namespace has at least one block and less than 2^63 bytes, not " + blocks + " blocks");
    }
    if (metadataSize < 0 || metadataSize > 65535) {
      throw new IllegalArgumentException("metadata has 0 to 65535 bytes per block, not " + metadataSize);
    }
    if (protectionType < 0 || protectionType > 3) {
      throw new IllegalArgumentException("protection type must be 0 to 3, not " + protectionType);
    }
    if (protectionType > 0 && metadataSize < guard.guard().tupleSize()) {
      throw new IllegalArgumentException(
          "protection with " + guard + " takes " + guard.guard().tupleSize() + " bytes of metadata, there are " + metadataSize);
    }
    if (extended && metadataSize == 0) {
      throw new IllegalArgumentException("extended blocks need metadata");
    }
  }

  /** Return a namespace in memory without metadata. */
  public static NamespaceConfig ofMemory(long blocks, int blockSize) {
    return new NamespaceConfig(null, blocks, blockSize, 0, false, 0, false, ProtectionGuard.CRC16, false);
  }

  /** Return a namespace kept in {@code file}, without metadata. */
  public static NamespaceConfig ofFile(Path file, long blocks, int blockSize) {
    return new NamespaceConfig(file, blocks, blockSize, 0, false, 0, false, ProtectionGuard.CRC16, false);
  }

  /** Return a copy with metadata that carries no protection information. */
  public NamespaceConfig withMetadata(int size, boolean inExtendedBlocks) {
    return new NamespaceConfig(file, blocks, blockSize, size, inExtendedBlocks, 0, false, guard, readOnly);
  }

  /** Return a copy whose metadata carries protection information. */
  public NamespaceConfig withProtection(int type, boolean first, ProtectionGuard checksum) {
    return new NamespaceConfig(file, blocks, blockSize, metadataSize, extended, type, first, checksum, readOnly);
  }

  /** Return a copy that is write protected. */
  public NamespaceConfig asReadOnly() {
    return new NamespaceConfig(file, blocks, blockSize, metadataSize, extended, protectionType, protectionFirst, guard, true);
  }
}
