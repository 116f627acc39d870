package io.twostep.machine.model.iommu;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.util.HexFormat;

/** Unsigned ranges, and the refusals that name them. */
final class Ranges {
  private Ranges() {}

  static long min(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? a : b;
  }

  static void requireOrdered(String name, long firstIova, long lastIova) {
    if (Long.compareUnsigned(firstIova, lastIova) > 0) {
      throw new IllegalArgumentException(name + ": range " + text(firstIova, lastIova) + " ends before it starts");
    }
  }

  static DmaMappingException publishFailed(String name, long firstIova, long lastIova) {
    return new DmaMappingException(
        Reason.BACKEND, name + ": publishing " + text(firstIova, lastIova) + " failed by order of FailNth; undo the link or publish again");
  }

  static DmaMappingException invalidationFailed(String name, long firstIova, long lastIova) {
    return new DmaMappingException(
        Reason.QUARANTINED,
        name + ": invalidation of " + text(firstIova, lastIova) + " was not confirmed, by order of FailNth; keep what it covers out of use");
  }

  private static String text(long firstIova, long lastIova) {
    return "0x" + HexFormat.of().toHexDigits(firstIova) + "..0x" + HexFormat.of().toHexDigits(lastIova);
  }
}
