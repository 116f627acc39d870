package io.twostep.benchmarks.flow;

import io.twostep.dma.spi.TableFormat;

/**
 * One measured case.
 *
 * @param name the flow
 * @param format the table format by its short name, or {@link #NO_FORMAT}
 * @param n pages per operation; bytes where a flow copies; live ranges where it allocates
 * @param pages pages that one operation handles, to divide by
 * @param threads threads at once
 */
public record FlowCase(String name, String format, int n, int pages, int threads) {
  /** No I/O page table takes part. */
  public static final String NO_FORMAT = "none";

  static final String VTD = "vtd";
  static final String AMD = "amdv1";

  /** Return the table format's name in the service interface. */
  String tableFormat() {
    return format.equals(AMD) ? TableFormat.AMD_V1 : TableFormat.VTD_SECOND_STAGE;
  }
}
