package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ModelMachinePluginTest {
  private final ModelMachinePlugin plugin = new ModelMachinePlugin();

  @Test
  void isAMachineOfThisSpi() {
    Spi.requireCompatible(plugin);
    assertThat(plugin.name()).isEqualTo("model");
    assertThat(plugin.kind()).isEqualTo(DmaPlugin.Kind.MACHINE);
  }

  @Test
  void moduleDescriptorAndServiceFileNameTheSameProviders() throws IOException {
    try (InputStream services = ModelMachine.class.getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      List<String> listed = new String(services.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
      assertThat(listed).containsExactlyInAnyOrder(ModelMachinePlugin.class.getName(), ProbeDevicePlugin.class.getName());
      ModuleDescriptor descriptor = ModelMachine.class.getModule().getDescriptor();
      if (descriptor != null) {
        assertThat(descriptor.provides())
            .filteredOn(p -> p.service().equals(DmaPlugin.class.getName()))
            .flatExtracting(ModuleDescriptor.Provides::providers)
            .containsExactlyInAnyOrderElementsOf(listed);
      }
    }
  }

  @Test
  void everySettingHasAMeaningAndADefaultThatItAccepts() {
    ModelMachineConfig config = ModelMachineConfig.defaults();
    assertThat(config.memory()).isEqualTo(64L << 30);
    assertThat(config.iotlb()).isEqualTo(IotlbMode.NORMAL);
    assertThat(config.formats()).containsExactly(TableFormat.VTD_SECOND_STAGE, TableFormat.AMD_V1);
    assertThat(config.directory()).isEqualTo(Path.of(System.getProperty("java.io.tmpdir")));
    assertThat(plugin.settings()).allSatisfy(s -> assertThat(s.meaning()).isNotBlank());
  }

  @Test
  void readsWhatIsGiven() {
    ModelMachineConfig config =
        ModelMachinePlugin.config(
            Settings.of(
                plugin,
                Map.of(
                    "memory", "1GiB", "seed", "0x2a", "iotlb", "adversarial", "formats", "amd", "cost", "1,2,3", "time", "real", "order", "random",
                    "inbound", "0x100000:0x80000000:4096", "isolation", "off", "cache", "adversarial")));
    assertThat(config.seed()).isEqualTo(42);
    assertThat(config.formats()).containsExactly(TableFormat.AMD_V1);
    assertThat(List.of(config.missNanos(), config.tableReadNanos(), config.invalidationNanos())).containsExactly(1L, 2L, 3L);
    assertThat(config.inboundWindows()).containsExactly(new OffsetWindow(0x10_0000, 0x8000_0000L, 4096));
    assertThat(config.virtualTime()).isFalse();
    assertThat(config.randomOrder()).isTrue();
    assertThat(config.isolateFunctions()).isFalse();
    assertThat(config.evictDirtyLines()).isTrue();
  }

  @Test
  void refusesWhatItCannotMake() {
    assertRefused("memory", "5000", "4 KiB frames");
    assertRefused("memory", "2T", "1 TiB");
    assertRefused("iotlb", "sometimes", "adversarial");
    assertRefused("formats", "arm", "vtd and amd");
    assertRefused("cost", "1,2", "three numbers");
    assertRefused("cost", "1,2,x", "three numbers");
    assertRefused("cost", "1,2,-3", "negative");
    assertRefused("inbound", "1:2", "phys:dma:length");
    assertRefused("inbound", "0x100000:0x80000000:0x1001", "4 KiB pages");
    assertRefused("inbound", "0x100000:0x80000800:0x1000", "4 KiB pages");
    assertRefused("inbound", "0x100800:0x80000000:0x1000", "4 KiB pages");
    assertRefused("smallest-page", "5000", "powers of two");
    assertRefused("address-bits", "20", "32");
    assertRefused("time", "soon", "virtual");
    assertRefused("memroy", "1G", "did you mean 'memory'");
  }

  @Test
  void offersOnlyFormatsThatTranslateTheWidth() {
    try (ModelMachine wide = Machines.of("address-bits", "64")) {
      var slot =
          wide.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT.withAddressBits(64));
      var iommu = (TableWalkingIommu) wide.addressSpaceFor(slot).iommu();
      assertThat(iommu.formats()).extracting(TableFormat::name).containsExactly(TableFormat.AMD_V1);
      assertThat(iommu.formats().getFirst().maxLevels()).isEqualTo(6);
      assertThat(iommu.highestIova()).isEqualTo(-1L);
    }
    try (ModelMachine narrow = Machines.of("address-bits", "39", "smallest-page", "64K")) {
      var slot = narrow.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT);
      var iommu = (TableWalkingIommu) narrow.addressSpaceFor(slot).iommu();
      assertThat(iommu.highestIova()).isEqualTo((1L << 39) - 1);
      assertThat(iommu.formats()).extracting(TableFormat::granule).containsExactly(2L << 20, 64L << 10);
      assertThat(iommu.formats()).allMatch(f -> f.maxLevels() == 3);
    }
  }

  @Test
  void saysWhichDirectoryCannotHoldRam() {
    assertThatThrownBy(() -> Machines.of("directory", "/nowhere/at/all"))
        .hasMessageContaining("/nowhere/at/all")
        .hasMessageContaining("directory");
  }

  private void assertRefused(String name, String value, String why) {
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of(name, value))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }
}
