package io.twostep.backend.iommu.table;

import java.util.stream.Stream;

/** The formats that tests run on. */
final class Formats {
  static final TableFormat VTD = VtdSecondStage.format(4, 52, VtdSecondStage.ALL_PAGE_SIZES, true, true, false);
  static final TableFormat AMD = AmdV1.format(64, 52, AmdV1.ALL_PAGE_SIZES, true);

  private Formats() {}

  static Stream<TableFormat> all() {
    return Stream.of(
        VTD,
        VtdSecondStage.format(3, 46, 1L << 12 | 1L << 21, false, false, false),
        VtdSecondStage.format(5, 52, 1L << 12, true, true, false),
        AMD,
        AmdV1.format(48, 48, AmdV1.ALL_PAGE_SIZES & ((1L << 31) - 1), false));
  }

  static Stream<TableFormat> both() {
    return Stream.of(VTD, AMD);
  }
}
