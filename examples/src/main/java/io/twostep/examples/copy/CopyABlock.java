package io.twostep.examples.copy;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.platform.Platform;
import io.twostep.platform.PluginSource;
import java.lang.foreign.ValueLayout;

/** One driver, unchanged, without and with an IOMMU. */
public final class CopyABlock {
  private static final String DEVICE = "0000:01:00.0";

  private CopyABlock() {}

  /** Copy a scattered block over each terminal, and say whether every byte arrived. */
  public static void main(String[] arguments) {
    System.out.println("direct: " + copy("direct", "none"));
    System.out.println("iommu: " + copy("iommu", "translated"));
  }

  static boolean copy(String backend, String translation) {
    try (Platform platform =
            Platform.builder()
                .plugins(PluginSource.of(new CopyEnginePlugin(), new CopyDriverPlugin()))
                .machine("model")
                .device(DEVICE, "copy-engine", d -> d.backends(backend).set("translation", translation))
                .build();
        MemoryBlock original = platform.memory().allocate(100_000, MemoryPlacement.SCATTERED);
        MemoryBlock copy = platform.memory().allocate(100_000, MemoryPlacement.SCATTERED)) {
      for (long i = 0; i < original.length(); i++) {
        original.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31));
      }
      platform.open(DEVICE, CopyDriver.class).copy(original, copy);
      return original.segment().mismatch(copy.segment()) == -1;
    }
  }
}
