package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.WriteTracking;

/**
 * How a guest is migrated.
 *
 * @param downtimeNanos how long the guest may stand still; rounds go on until what is left can be sent in half of that time
 * @param mostRounds rounds after which it is stopped however much is left
 * @param chunkBytes most guest memory in one record, whole pages; a step sends a few
 * @param tracking who tells what devices write
 * @param peers whether the devices write to each other: then all of them need the P2P states
 */
public record MigrationConfig(long downtimeNanos, int mostRounds, int chunkBytes, WriteTracking tracking, boolean peers) {
  /** 50 ms, 30 rounds, records of 256 KiB. */
  public static final MigrationConfig DEFAULT = new MigrationConfig(50_000_000, 30, 256 << 10, WriteTracking.AUTO, false);

  public MigrationConfig {
    if (downtimeNanos < 0 || mostRounds < 1 || chunkBytes < 4096 || chunkBytes > 1 << 20 || chunkBytes % 4096 != 0) {
      throw new IllegalArgumentException(
          "downtimeNanos " + downtimeNanos + " must not be negative, mostRounds " + mostRounds + " positive, chunkBytes " + chunkBytes + " whole pages of 4096 up to 1 MiB");
    }
  }

  /** Return a copy with other {@link #downtimeNanos}. */
  public MigrationConfig withDowntimeNanos(long nanos) {
    return new MigrationConfig(nanos, mostRounds, chunkBytes, tracking, peers);
  }

  /** Return a copy with other {@link #chunkBytes}. */
  public MigrationConfig withChunkBytes(int bytes) {
    return new MigrationConfig(downtimeNanos, mostRounds, bytes, tracking, peers);
  }

  /** Return a copy with another {@link #tracking}. */
  public MigrationConfig withTracking(WriteTracking other) {
    return new MigrationConfig(downtimeNanos, mostRounds, chunkBytes, other, peers);
  }

  /** Return a copy with other {@link #peers}. */
  public MigrationConfig withPeers(boolean other) {
    return new MigrationConfig(downtimeNanos, mostRounds, chunkBytes, tracking, other);
  }
}
