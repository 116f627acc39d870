package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.MemoryBlock;
import org.junit.jupiter.api.Test;

class FirstBlockTest {
  @Test
  void oneBlockGoesOutAndComesBack() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT)) {
      try (NvmeController controller = rig.open()) {
        NvmeNamespace namespace = controller.namespace(1);
        MemoryBlock out = rig.random(4096, Seeds.random());
        MemoryBlock in = rig.memory(4096);
        namespace.write(7, out);
        namespace.read(7, in);
        namespace.flush();
        assertThat(in.segment().mismatch(out.segment())).isEqualTo(-1);
        assertThat(rig.model.violations()).isEmpty();
      }
    }
  }
}
