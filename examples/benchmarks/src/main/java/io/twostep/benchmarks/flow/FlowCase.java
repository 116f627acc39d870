package io.twostep.benchmarks.flow;

import io.twostep.dma.spi.TableFormat;

/**
 * One measured case.
 *
 * @param name the flow
 * @param format the table format by its short name, {@link #DIRECT} or {@link #NO_FORMAT}
 * @param n pages per operation; bytes where a flow copies; live ranges where it allocates
 * @param pages pages that one operation handles, to divide by
 * @param threads threads at once
 */
public record FlowCase(String name, String format, int n, int pages, int threads) {
  /** No I/O page table takes part. */
  public static final String NO_FORMAT = "none";

  /** The mapping layer takes part, and nothing translates. */
  public static final String DIRECT = "direct";

  /** The second-stage format of VT-d. */
  public static final String VTD = "vtd";

  /** The format of AMD IOMMUs. */
  public static final String AMD = "amdv1";

  /** Return what a device of this case is attached to, as {@link io.twostep.benchmarks.machine.MappedDevice#on} takes it. */
  String stack() {
    return switch (format) {
      case DIRECT -> DIRECT;
      case AMD -> TableFormat.AMD_V1;
      default -> TableFormat.VTD_SECOND_STAGE;
    };
  }
}
