package io.twostep.device.nvme.model;

import io.twostep.device.nvme.protection.ProtectionFormat;
import java.nio.file.Path;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** A namespace at work: its medium, its format, and the blocks that were made unreadable. */
final class Namespace implements AutoCloseable {
  /** What metadata of blocks never written reads as: with protection, tuples that escape every check. */
  private static final byte BLANK_METADATA = (byte) 0xff;

  final int id;
  final NamespaceConfig config;
  final int blockShift;
  final int metadataSize;
  final BlockStore data;
  final @Nullable BlockStore metadata;
  final @Nullable ProtectionFormat protection;
  private final TreeSet<Long> uncorrectable = new TreeSet<>();

  Namespace(int id, NamespaceConfig config) {
    this.id = id;
    this.config = config;
    blockShift = Integer.numberOfTrailingZeros(config.blockSize());
    metadataSize = config.metadataSize();
    protection =
        config.protectionType() == 0
            ? null
            : new ProtectionFormat(
                config.blockSize(), metadataSize, config.protectionType(), config.protectionFirst(), config.guard().guard());
    data = open(config.file(), config.blocks() * config.blockSize(), (byte) 0);
    try {
      metadata = metadataSize == 0 ? null : open(beside(config.file()), config.blocks() * metadataSize, BLANK_METADATA);
    } catch (RuntimeException e) {
      data.close();
      throw e;
    }
  }

  long blocks() {
    return config.blocks();
  }

  /** Return the bytes that one block takes in the data buffer of a command. */
  int transferSize() {
    return config.blockSize() + (config.extended() ? metadataSize : 0);
  }

  boolean hasMetadataBuffer() {
    return metadataSize != 0 && !config.extended();
  }

  /** Tell whether {@code count} blocks from {@code lba} on exist; both unsigned. */
  boolean contains(long lba, long count) {
    return Long.compareUnsigned(lba, blocks()) < 0 && Long.compareUnsigned(count, blocks() - lba) <= 0;
  }

  void markUncorrectable(long lba, long count) {
    for (long i = 0; i < count; i++) {
      uncorrectable.add(lba + i);
    }
  }

  /** Return the first unreadable block of a range, or -1. */
  long firstUncorrectable(long lba, long count) {
    if (uncorrectable.isEmpty()) {
      return -1;
    }
    Long first = uncorrectable.ceiling(lba);
    return first != null && first < lba + count ? first : -1;
  }

  void clearUncorrectable(long lba, long count) {
    if (!uncorrectable.isEmpty()) {
      uncorrectable.subSet(lba, lba + count).clear();
    }
  }

  /** Make blocks read as never written. */
  void deallocate(long lba, long count) {
    data.clear(lba << blockShift, count << blockShift);
    if (metadata != null) {
      metadata.clear(lba * metadataSize, count * metadataSize);
    }
    clearUncorrectable(lba, count);
  }

  void flush() {
    data.flush();
    if (metadata != null) {
      metadata.flush();
    }
  }

  @Override
  public void close() {
    data.close();
    if (metadata != null) {
      metadata.close();
    }
  }

  private static BlockStore open(@Nullable Path file, long size, byte blank) {
    return file == null ? new MemoryStore(size, blank) : FileStore.open(file, size, blank);
  }

  private static @Nullable Path beside(@Nullable Path file) {
    return file == null ? null : file.resolveSibling(file.getFileName() + ".metadata");
  }
}
