package io.twostep.backend.iommu;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;
import java.util.Objects;

/**
 * How the IOMMU backend works. Immutable.
 *
 * @param flush when cleared translations are invalidated
 * @param format name of the table format to write, or {@link #AUTO} for the one the hardware prefers
 * @param granule smallest page of the address spaces, bytes, a power of two; 0 for the hardware's smallest
 * @param iova32BitFirst whether addresses above 4 GiB are handed out only when there is no room below
 * @param tableMemory most bytes of page tables in one address space; 0 for no limit
 * @param countTableWrites whether words stored into page tables are counted, which costs a little
 */
public record IommuConfig(FlushPolicy flush, String format, long granule, boolean iova32BitFirst, long tableMemory, boolean countTableWrites) {
  /** Let the backend choose the format. */
  public static final String AUTO = "auto";

  static final List<Setting> SETTINGS =
      List.of(
          new Setting("flush", "strict", "strict: invalidate before unmap returns; lazy: within 10 ms, never for untrusted devices"),
          new Setting("format", AUTO, "page table format: auto (the hardware's first), vtd-second-stage or amd-v1"),
          new Setting("granule", "0", "smallest page in bytes, a power of two such as 4K, 16K or 64K; 0 for the hardware's smallest"),
          new Setting("iova-32bit-first", "true", "hand out I/O addresses above 4 GiB only when there is no room below: true or false"),
          new Setting("table-memory", "0", "most bytes of page tables in one address space; 0 for no limit"),
          new Setting("count-table-writes", "false", "count words of page tables set, changed and cleared, for reports; costs a little: true or false"));

  /**
   * Check the values.
   *
   * @throws IllegalArgumentException naming the value that does not fit
   */
  public IommuConfig {
    Objects.requireNonNull(flush, "flush");
    Objects.requireNonNull(format, "format");
    if (granule < 0 || (granule & (granule - 1)) != 0) {
      throw new IllegalArgumentException("granule " + granule + " must be a power of two, or 0 for the hardware's smallest page");
    }
    if (tableMemory < 0) {
      throw new IllegalArgumentException("table-memory " + tableMemory + " must not be negative");
    }
  }

  /** Return the defaults. */
  public static IommuConfig defaults() {
    return new IommuConfig(FlushPolicy.STRICT, AUTO, 0, true, 0, false);
  }

  /** Return a copy with another {@link #flush}. */
  public IommuConfig withFlush(FlushPolicy policy) {
    return new IommuConfig(policy, format, granule, iova32BitFirst, tableMemory, countTableWrites);
  }

  /** Return a copy with another {@link #format}. */
  public IommuConfig withFormat(String name) {
    return new IommuConfig(flush, name, granule, iova32BitFirst, tableMemory, countTableWrites);
  }

  /** Return a copy with another {@link #granule}. */
  public IommuConfig withGranule(long bytes) {
    return new IommuConfig(flush, format, bytes, iova32BitFirst, tableMemory, countTableWrites);
  }

  /** Return a copy with another {@link #iova32BitFirst}. */
  public IommuConfig withIova32BitFirst(boolean first) {
    return new IommuConfig(flush, format, granule, first, tableMemory, countTableWrites);
  }

  /** Return a copy with another {@link #countTableWrites}. */
  public IommuConfig withCountTableWrites(boolean count) {
    return new IommuConfig(flush, format, granule, iova32BitFirst, tableMemory, count);
  }

  /** Return a copy with another {@link #tableMemory}. */
  public IommuConfig withTableMemory(long bytes) {
    return new IommuConfig(flush, format, granule, iova32BitFirst, bytes, countTableWrites);
  }

  static IommuConfig of(Settings settings) {
    return new IommuConfig(
        settings.choice("flush", FlushPolicy.class),
        settings.text("format"),
        settings.bytes("granule"),
        settings.flag("iova-32bit-first"),
        settings.bytes("table-memory"),
        settings.flag("count-table-writes"));
  }
}
