package io.twostep.examples.layer;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.platform.Platform;
import io.twostep.platform.PluginSource;
import org.junit.jupiter.api.Test;

/** What the guide to layers shows works. */
class CountingLayerTest {
  private static final String DEVICE = "0000:01:00.0";

  @Test
  void bytesCountFromMapToTheInvalidation() {
    try (Platform platform =
            Platform.builder()
                .plugins(PluginSource.of(new CountingLayerPlugin()))
                .machine("model")
                .device(DEVICE, "probe", d -> d.backends("counting", "iommu").set("iommu.flush", "lazy"))
                .build();
        MemoryBlock block = platform.memory().allocate(8192, MemoryPlacement.CONTIGUOUS)) {
      CountingLayer layer = platform.backend(DEVICE, CountingLayer.class);
      assertThat(layer).isNotNull();
      try (DmaMapping mapping = platform.mapper(DEVICE).map(block.phys(0), 8192, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
        assertThat(layer.mappedBytes()).isEqualTo(8192);
        assertThat(mapping.length()).isEqualTo(8192);
      }
      assertThat(layer.mappedBytes()).isZero();
    }
  }
}
