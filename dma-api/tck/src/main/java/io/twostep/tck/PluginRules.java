package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules P: how a backend is found, described and made. */
public interface PluginRules extends TckFixture {
  /** Return the plugin that is proved. */
  BackendPlugin plugin();

  /** P1. */
  @Test
  default void p1aNameIsWhatUsersCanWrite() {
    assertThat(plugin().name()).matches("[a-z][a-z0-9-]{0,31}");
    assertThat(plugin().description()).isNotBlank().doesNotContain("\n");
    Spi.requireCompatible(plugin());
  }

  /** P2. */
  @Test
  default void p2aServiceLoaderFindsThePlugin() {
    assertThat(ServiceLoader.load(DmaPlugin.class, plugin().getClass().getClassLoader()).stream().map(ServiceLoader.Provider::type))
        .as("providers of DmaPlugin; list the class in META-INF/services and in module-info")
        .contains(plugin().getClass());
  }

  /** P3. */
  @Test
  default void p3aSettingsHaveDefaultsThatWorkAndOthersAreRefused() {
    for (Setting setting : plugin().settings()) {
      assertThat(setting.name()).matches("[a-z0-9]+(-[a-z0-9]+)*");
      assertThat(setting.meaning()).as("meaning of " + setting.name()).isNotBlank();
    }
    plugin().create(Settings.defaults(plugin())).close();
    assertThatThrownBy(() -> Settings.of(plugin(), Map.of("no-such-setting", "1")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no-such-setting");
  }

  /** P4. */
  @Test
  default void p4aPluginMakesWhatItSays() {
    Backend backend = plugin().create(Settings.defaults(plugin()));
    assertThat(backend.name()).isEqualTo(plugin().name());
    assertThat(backend instanceof LayerBackend).isEqualTo(plugin().layer());
    backend.close();
  }

  /** P5. */
  @Test
  default void p5aDeviceCanBeAttachedAgainWhileEarlierMappingsLive() {
    MemoryBlock block = rig().memory(rounded(64 << 10));
    try (DmaMapping early = rig().map(block, 0, block.length(), DmaDirection.TO_DEVICE)) {
      DmaMapper again = rig().attach(rig().slot());
      try (DmaMapping late = again.map(block.phys(0), block.length(), DmaDirection.TO_DEVICE, 0)) {
        assertThat(rig().device().read(late.dmaAddress(), 64)).isEqualTo(Bytes.of(block, 0, 64));
      }
      again.close();
      assertThat(rig().device().read(early.dmaAddress(), 64)).isEqualTo(Bytes.of(block, 0, 64));
    }
  }

  /** P5b. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void p5bDevicesOfOneAddressSpaceAreServedSideBySide() {
    assumeFalse(setup().hostManaged(), "the kit gives every device a host's table of its own");
    SlotOptions grouped = setup().device().withGroup("shared");
    TckRig rig = open(setup().withDevice(grouped));
    ProbeDevice device = new ProbeDevice();
    DeviceSlot second = rig.plug(device, grouped);
    long length = Math.max(rounded(4096), granuleOf(rig));
    MemoryBlock block = rig.memory(length * 2);
    DmaMapping early = rig.map(block, 0, length, DmaDirection.TO_DEVICE);
    DmaMapper mapper = rig.attach(second);
    DmaMapping late = mapper.map(block.phys(length), length, DmaDirection.BIDIRECTIONAL, 0);
    long gone = late.dmaAddress();
    assertThat(Math.abs(gone - early.dmaAddress())).as("distance of mappings of two devices of one address space").isGreaterThanOrEqualTo(length);
    assertThat(rig.device().read(early.dmaAddress(), 64)).as("what the first reads, once another is attached").isEqualTo(Bytes.of(block, 0, 64));
    assertThat(device.read(gone, 64)).as("what the second reads").isEqualTo(Bytes.of(block, length, 64));
    late.close();
    mapper.awaitQuiescence();
    if (has(Behavior.TRANSLATES)) {
      device.requireRefused(gone, "it was unmapped");
      rig.device().requireRefused(gone, "it was unmapped, by another device of its address space");
    }
    mapper.close();
    assertThat(rig.device().read(early.dmaAddress(), 64)).as("what the first reads, once the other is detached").isEqualTo(Bytes.of(block, 0, 64));
    early.close();
  }

  /** P5c. */
  @Test
  default void p5cClosedBackendRefusesEveryDevice() {
    for (boolean served : new boolean[] {false, true}) {
      TckRig rig = open(setup());
      if (served) {
        rig.mapper();
      }
      rig.closeProved();
      assertThatThrownBy(() -> rig.attach(rig.slot()))
          .as("an attach to a closed backend that had %s", served ? "a device" : "none")
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll(rig.slot().address().text(), plugin().name(), "closed")
          .hasMessageNotContaining("\n");
    }
  }
}
