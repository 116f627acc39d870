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

  private final @Nullable UnflushedBlocks unflushedData;
  private final @Nullable UnflushedBlocks unflushedMetadata;

  /** Open a namespace; {@code forgets} makes it lose at {@link #losePower} what was not flushed. */
  Namespace(int id, NamespaceConfig config, boolean forgets) {
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
    unflushedData = forgets ? new UnflushedBlocks(data, config.blockSize()) : null;
    unflushedMetadata = forgets && metadata != null ? new UnflushedBlocks(metadata, metadataSize) : null;
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

  private void clearUncorrectable(long lba, long count) {
    if (!uncorrectable.isEmpty()) {
      uncorrectable.subSet(lba, lba + count).clear();
    }
  }

  /** Prepare for blocks to be written: they become readable, and what they hold may come back. */
  void beforeWrite(long lba, long count) {
    clearUncorrectable(lba, count);
    if (unflushedData != null) {
      unflushedData.note(lba, count);
    }
    if (unflushedMetadata != null) {
      unflushedMetadata.note(lba, count);
    }
  }

  /** Make blocks durable alone, as force unit access wants it. */
  void settle(long lba, long count) {
    if (unflushedData != null) {
      unflushedData.settle(lba, count);
    }
    if (unflushedMetadata != null) {
      unflushedMetadata.settle(lba, count);
    }
  }

  /** Forget what was written and not flushed. */
  void losePower() {
    if (unflushedData != null) {
      unflushedData.restore();
    }
    if (unflushedMetadata != null) {
      unflushedMetadata.restore();
    }
  }

  /** Make blocks read as never written. */
  void deallocate(long lba, long count) {
    beforeWrite(lba, count);
    data.clear(lba << blockShift, count << blockShift);
    if (metadata != null) {
      metadata.clear(lba * metadataSize, count * metadataSize);
    }
  }

  void flush() {
    data.flush();
    if (metadata != null) {
      metadata.flush();
    }
    if (unflushedData != null) {
      unflushedData.settleAll();
    }
    if (unflushedMetadata != null) {
      unflushedMetadata.settleAll();
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
