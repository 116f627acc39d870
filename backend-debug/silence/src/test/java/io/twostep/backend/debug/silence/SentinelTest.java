package io.twostep.backend.debug.silence;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.machine.model.ProbeDevice;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The sentinel hears what tests do that know nothing of it; one that heard nothing would be content with anything. */
class SentinelTest {
  @Test
  @Tag("breaks:torn-down-twice")
  void whatATestBreaksIsHeardAndForgivenOnlyIfItIsAnnounced() {
    ModelMachinePlugin plugin = new ModelMachinePlugin();
    try (ModelMachine machine = (ModelMachine) plugin.create(Settings.of(plugin, Map.of("memory", "16M")));
        DirectBackend terminal = new DirectBackend()) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new ProbeDevice(), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      DmaStack stack = DmaStack.of(terminal);
      assertThat(stack.names()).containsExactly("debug", "direct");
      assertThat(DmaStack.of(terminal, new DebugBackend(DebugConfig.defaults())).names()).as("has one of its own").containsExactly("debug", "direct");
      try (DmaMapper mapper = stack.attach(machine, slot, DeviceLimits.UNLIMITED);
          MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
        DmaMapping mapping = mapper.map(block.phys(0), 4096, TO_DEVICE, NONE);
        mapping.unmap();
        assertThat(Sentinel.verdict(Sentinel.onDuty(), Set.of())).isEmpty();
        assertThatThrownBy(mapping::unmap).isInstanceOf(IllegalStateException.class);
      }
    }
    assertThat(Sentinel.verdict(Sentinel.onDuty(), Set.of("slow", "breaks:mapped-twice")))
        .contains("1 x TORN_DOWN_TWICE", "@Tag(\"breaks:torn-down-twice\")", "0000:01:00.0");
    assertThat(Sentinel.verdict(Sentinel.onDuty(), Set.of("breaks:mapped-twice+torn-down-twice"))).isEmpty();
  }
}
