package io.twostep.device.nvme.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.model.NvmeModelConfig.OptionalCommand;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NvmeModelPluginTest {
  private static final NvmeModelPlugin PLUGIN = new NvmeModelPlugin();

  @TempDir Path folder;

  private static NvmeModelConfig config(String... namesAndValues) {
    Map<String, String> given = new HashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      given.put(namesAndValues[i], namesAndValues[i + 1]);
    }
    return NvmeModelPlugin.config(Settings.of(PLUGIN, given));
  }

  @Test
  void defaultsOfSettingsAreTheDefaultsOfTheModel() {
    assertThat(config()).isEqualTo(NvmeModelConfig.DEFAULT);
  }

  @Test
  void everySettingChangesTheParameters() throws IOException {
    Path file = folder.resolve("blocks");
    Files.write(file, new byte[8192]);
    Map<String, String> other =
        Map.ofEntries(
            Map.entry("file", file.toString()),
            Map.entry("size", "2M"),
            Map.entry("namespaces", "3"),
            Map.entry("block-size", "4K"),
            Map.entry("metadata-size", "16"),
            Map.entry("read-only", "true"),
            Map.entry("serial", "x"),
            Map.entry("model", "y"),
            Map.entry("page-size-min", "8K"),
            Map.entry("page-size-max", "32K"),
            Map.entry("sgl", "none"),
            Map.entry("cmb-bar", "3"),
            Map.entry("cmb-offset", "4K"),
            Map.entry("cmb-size", "1M"),
            Map.entry("cmb-uses", "read-data, lists"),
            Map.entry("hmb-preferred", "1M"),
            Map.entry("hmb-minimum", "1M"),
            Map.entry("hmb-descriptor-minimum", "8K"),
            Map.entry("commands", ""),
            Map.entry("dsm-range-blocks", "5"));
    List<String> unchanged = new ArrayList<>();
    for (Setting setting : PLUGIN.settings()) {
      if (List.of("metadata-extended", "protection-type", "protection-first", "guard").contains(setting.name())) {
        continue;
      }
      String value = other.get(setting.name());
      if (value == null) {
        value =
            switch (setting.defaultValue()) {
              case "true" -> "false";
              case "false" -> "true";
              default -> String.valueOf(Long.parseLong(setting.defaultValue()) + 1);
            };
      }
      if (config(setting.name(), value).equals(NvmeModelConfig.DEFAULT)) {
        unchanged.add(setting.name());
      }
    }
    assertThat(unchanged).isEmpty();
    assertThat(config("cmb-uses", "read-data, lists").cmbUses()).containsExactlyInAnyOrder(CmbUse.READ_DATA, CmbUse.LISTS);
    assertThat(config("commands", "verify").commands()).containsExactly(OptionalCommand.VERIFY);
    assertThat(config("sgl", "dword").sgl()).isEqualTo(SglSupport.DWORD);
    NamespaceConfig namespace =
        config(
                "metadata-size", "64", "metadata-extended", "on", "protection-type", "2", "protection-first", "yes", "guard", "crc64")
            .namespaces()
            .getFirst();
    assertThat(namespace)
        .isEqualTo(
            NamespaceConfig.ofMemory(1L << 21, 512)
                .withMetadata(64, true)
                .withProtection(2, true, NamespaceConfig.ProtectionGuard.CRC64));
  }

  @Test
  void sizeMayBeTheSizeOfTheFile() throws IOException {
    Path file = folder.resolve("blocks");
    Files.write(file, new byte[8192]);
    NamespaceConfig namespace = config("file", file.toString(), "size", "0").namespaces().getFirst();
    assertThat(namespace).isEqualTo(NamespaceConfig.ofFile(file, 16, 512));
  }

  @Test
  void wrongSettingsAreRefusedWithTheirName() {
    refused("setting 'commands' of nvme has 'fly'", "commands", "fly");
    refused("'size' of nvme is 1000 bytes", "size", "1000");
    refused("whose size cannot be read", "file", folder.resolve("missing").toString(), "size", "0");
    refused("queue entries must be 2 to 65536, not 1", "queue-entries", "1");
    refused("MDTS must be 0 to 20", "mdts", "21");
    refused("page sizes must be powers of two", "page-size-min", "5000");
    refused("block size must be a power of two", "block-size", "520", "size", "5200");
    refused("protection with CRC64 takes 16 bytes", "protection-type", "1", "metadata-size", "8", "guard", "crc64");
    refused("extended blocks need metadata", "metadata-extended", "true");
  }

  private static void refused(String text, String... namesAndValues) {
    assertThatThrownBy(() -> config(namesAndValues))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(text);
  }

  @Test
  void pluginMakesModels() {
    assertThat(PLUGIN.name()).isEqualTo("nvme");
    assertThat(PLUGIN.spiVersion()).isEqualTo(Spi.VERSION);
    assertThat(PLUGIN.kind()).isEqualTo(DmaPlugin.Kind.DEVICE_MODEL);
    try (DeviceModel model = PLUGIN.create(Settings.of(PLUGIN, Map.of("size", "1M")))) {
      assertThat(model.identity().classCode()).isEqualTo(0x010802);
      assertThat(model.vectors()).isEqualTo(NvmeModelConfig.DEFAULT.vectors());
    }
  }

  @Test
  void moduleAndServiceFileNameTheSamePlugins() throws IOException, ReflectiveOperationException {
    List<String> inFile;
    try (InputStream in = NvmeModelPlugin.class.getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      inFile = new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
    assertThat(inFile).contains(NvmeModelPlugin.class.getName());
    ModuleDescriptor descriptor = NvmeModelPlugin.class.getModule().getDescriptor();
    if (descriptor != null) {
      assertThat(descriptor.provides())
          .filteredOn(provides -> provides.service().equals(DmaPlugin.class.getName()))
          .singleElement()
          .satisfies(provides -> assertThat(provides.providers()).containsExactlyInAnyOrderElementsOf(inFile));
    }
    for (String name : inFile) {
      assertThat(Class.forName(name).getConstructor().newInstance()).isInstanceOf(DmaPlugin.class);
    }
  }
}
