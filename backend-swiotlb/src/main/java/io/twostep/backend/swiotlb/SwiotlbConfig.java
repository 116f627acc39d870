package io.twostep.backend.swiotlb;

import io.twostep.backend.swiotlb.pool.SlotPool;
import io.twostep.backend.swiotlb.pool.SlotRules;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;

/**
 * How the bounce layer works. Immutable.
 *
 * @param size bytes of slots that an address space starts with, spread over its areas
 * @param maxSize bytes of slots that it may grow to
 * @param areas areas that threads are spread over; 0 for one per processor
 * @param force whether everything is bounced that may be
 * @param quota most bytes of slots one device may hold; 0 for no limit
 * @param stage whether Java heap arrays and foreign segments can be mapped also for devices that otherwise need no bouncing
 */
public record SwiotlbConfig(long size, long maxSize, int areas, boolean force, long quota, boolean stage) {
  static final int MOST_AREAS = 4096;

  static final List<Setting> SETTINGS =
      List.of(
          new Setting("size", "64MiB", "bytes of slots an address space starts with, made when first needed; at least 128K"),
          new Setting("max-size", "256MiB", "bytes of slots it may grow to; at least size"),
          new Setting("areas", "0", "areas that threads are spread over, 0 to 4096, rounded up to a power of two; 0: one per processor, but none below 1 MiB"),
          new Setting("force", "false", "bounce everything that may be bounced: true or false"),
          new Setting("quota", "0", "most bytes of slots one device may hold; 0 for no limit"),
          new Setting("stage", "true", "map heap arrays and foreign segments also for devices that need no bouncing; false leaves the layer out for those"));

  /**
   * Check the values.
   *
   * @throws IllegalArgumentException naming the value that does not fit
   */
  public SwiotlbConfig {
    if (size < SlotPool.LEAST_AREA) {
      throw new IllegalArgumentException("size " + size + " must be at least " + SlotPool.LEAST_AREA + " bytes");
    }
    if (maxSize < size) {
      throw new IllegalArgumentException("max-size " + maxSize + " must be at least size " + size);
    }
    if (areas < 0 || areas > MOST_AREAS) {
      throw new IllegalArgumentException("areas " + areas + " must be 0 to " + MOST_AREAS);
    }
    if (quota < 0 || (quota > 0 && quota < SlotRules.SLOT)) {
      throw new IllegalArgumentException("quota " + quota + " must be 0 or at least one slot of " + SlotRules.SLOT + " bytes");
    }
  }

  /** Return the defaults. */
  public static SwiotlbConfig defaults() {
    return of(Settings.defaults(new SwiotlbBackendPlugin()));
  }

  /** Return a copy with other {@link #size} and {@link #maxSize}. */
  public SwiotlbConfig withSize(long start, long most) {
    return new SwiotlbConfig(start, most, areas, force, quota, stage);
  }

  /** Return a copy with other {@link #areas}. */
  public SwiotlbConfig withAreas(int count) {
    return new SwiotlbConfig(size, maxSize, count, force, quota, stage);
  }

  /** Return a copy with another {@link #force}. */
  public SwiotlbConfig withForce(boolean everything) {
    return new SwiotlbConfig(size, maxSize, areas, everything, quota, stage);
  }

  /** Return a copy with another {@link #quota}. */
  public SwiotlbConfig withQuota(long bytes) {
    return new SwiotlbConfig(size, maxSize, areas, force, bytes, stage);
  }

  /** Return a copy with another {@link #stage}. */
  public SwiotlbConfig withStage(boolean always) {
    return new SwiotlbConfig(size, maxSize, areas, force, quota, always);
  }

  static SwiotlbConfig of(Settings settings) {
    return new SwiotlbConfig(
        settings.bytes("size"),
        settings.bytes("max-size"),
        settings.number("areas", 0, MOST_AREAS),
        settings.flag("force"),
        settings.bytes("quota"),
        settings.flag("stage"));
  }
}
