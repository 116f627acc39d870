package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The machine by its name, on the kernel that runs the tests. */
class LinuxMachinePluginTest {
  @Test
  void machineIsListedWhereItsNameIsLookedUp() throws IOException {
    try (InputStream listed = LinuxMachine.class.getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      assertThat(listed).isNotNull();
      assertThat(new String(listed.readAllBytes(), StandardCharsets.UTF_8).lines()).contains(LinuxMachinePlugin.class.getName());
    }
    assertThat(new LinuxMachinePlugin().name()).isEqualTo("linux");
  }

  @Test
  void settingsReachTheMachineAndBadOnesAreRefused() {
    LinuxMachinePlugin plugin = new LinuxMachinePlugin();
    try (Machine machine = plugin.create(Settings.of(plugin, Map.of("memory", "1M")));
        MemoryBlock block = machine.memory().allocate(1 << 20, MemoryPlacement.SCATTERED)) {
      assertThat(block.length()).isEqualTo(1 << 20);
      assertThatThrownBy(() -> machine.slot(new DeviceAddress("ffff:ff:1f.7"))).isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of("pages", "8K")))).hasMessageContaining("4K, 2M or 1G");
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of("addressing", "magic")))).hasMessageContaining("registered");
  }
}
