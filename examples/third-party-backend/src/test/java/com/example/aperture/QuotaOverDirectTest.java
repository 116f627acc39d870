package com.example.aperture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class QuotaOverDirectTest extends LayerBackendTck {
  @Override
  public BackendPlugin plugin() {
    return new QuotaPlugin();
  }

  @Override
  public Map<String, String> settings() {
    return Map.of("bytes", "4M");
  }

  @Override
  public List<TckPart> below() {
    return List.of(TckPart.of(new DirectBackendPlugin()));
  }

  @Override
  public TckSetup setup() {
    return TckSetup.untranslated();
  }

  /** A layer that must see every unmap keeps sparse windows from being free. */
  @Override
  public Set<Behavior> behaviors() {
    return EnumSet.of(Behavior.IN_PLACE, Behavior.SERVES_NON_COHERENT);
  }

  @Test
  void quotaIsRefusedWhenUsedUpAndComesBack() {
    MemoryBlock block = rig().memory(4 << 20);
    try (DmaMapping most = rig().map(block, 0, 4 << 20, DmaDirection.TO_DEVICE)) {
      DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, () -> rig().map(block, 0, 1, DmaDirection.TO_DEVICE));
      assertThat(refusal.reason()).isEqualTo(Reason.QUOTA);
      assertThat(refusal.isRetryable()).isTrue();
      assertThat(most.length()).isEqualTo(4 << 20);
    }
    rig().map(block, 0, 1, DmaDirection.TO_DEVICE).close();
  }
}
