package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MappingStateTest {
  @Test
  void movesWhatALayerAndThoseBelowItKnowAndLeavesTheRest() {
    MappingState state = new MappingState(3);
    state.dmaAddress = 0x1000;
    state.length = 0x20;
    state.allocated = 0x4000;
    state.flags = MapFlags.NEEDS_UNMAP;
    state.maxLeaf = 0x8000;
    state.terminal = "terminal";
    for (int layer = 0; layer < 3; layer++) {
      state.word(layer, 10 + layer);
      state.object(layer, "layer " + layer);
    }
    MappingState moved = state.moveFrom(1);
    assertThat(moved)
        .returns(0x1000L, is -> is.dmaAddress)
        .returns(0x20L, is -> is.length)
        .returns(0x4000L, is -> is.allocated)
        .returns(MapFlags.NEEDS_UNMAP, is -> is.flags)
        .returns(0x8000L, is -> is.maxLeaf)
        .returns("terminal", is -> is.terminal)
        .returns(3, MappingState::layers);
    assertThat(state)
        .returns(0L, is -> is.dmaAddress)
        .returns(0L, is -> is.length)
        .returns(0L, is -> is.allocated)
        .returns(0, is -> is.flags)
        .returns(null, is -> is.terminal);
    requireLayer(state, 0, 10, "layer 0");
    requireLayer(moved, 0, 0, null);
    for (int layer = 1; layer < 3; layer++) {
      requireLayer(state, layer, 0, null);
      requireLayer(moved, layer, 10 + layer, "layer " + layer);
    }
  }

  private static void requireLayer(MappingState state, int layer, long word, Object object) {
    assertThat(state.word(layer)).isEqualTo(word);
    assertThat(state.object(layer)).isEqualTo(object);
  }
}
