package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.fake.Rig;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the process asks for above every stack; that a layer which exists is put there is proved where one exists, in backend-debug/silence. */
class OutermostLayersTest {
  @Test
  @Tag("unchecked")
  void nothingLiesAboveAStackUnlessTheProcessAsksForIt() {
    assertThat(System.getProperty(OutermostLayers.PROPERTY)).isNull();
    assertThat(DmaStack.of(new Rig(Rig.Kind.DIRECT).terminal).names()).hasSize(1);
    assertThat(OutermostLayers.make(" , ")).isEmpty();
  }

  @Test
  void aNameThatNoLayerHasIsRefusedWithWhatThereIs() {
    assertThatThrownBy(() -> OutermostLayers.make("no-such-layer"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("system property twostep.outermost names 'no-such-layer'")
        .hasMessageContaining("found [")
        .hasMessageContaining("add its jar");
  }
}
