package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SwiotlbBackendPluginTest {
  private final SwiotlbBackendPlugin plugin = new SwiotlbBackendPlugin();

  @Test
  void serviceFileAndModuleDescriptorNameTheSamePlugins() throws IOException {
    Path classes = Path.of(plugin.getClass().getProtectionDomain().getCodeSource().getLocation().getPath());
    String listed;
    try (InputStream file = plugin.getClass().getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      listed = new String(file.readAllBytes(), StandardCharsets.UTF_8).trim();
    }
    assertThat(listed).isEqualTo(SwiotlbBackendPlugin.class.getName());
    Path descriptor = classes.resolve("module-info.class");
    if (descriptor.toFile().exists()) {
      try (InputStream in = descriptor.toUri().toURL().openStream()) {
        assertThat(ModuleDescriptor.read(in).provides())
            .singleElement()
            .satisfies(provides -> assertThat(provides.providers()).isEqualTo(List.of(listed)));
      }
    }
  }

  @Test
  void saysWhatItIs() {
    Spi.requireCompatible(plugin);
    assertThat(plugin.kind()).isEqualTo(DmaPlugin.Kind.LAYER);
    assertThat(plugin.create(Settings.defaults(plugin)).name()).isEqualTo("swiotlb");
  }

  @Test
  void readmeListsEverySettingWithItsDefault() throws IOException {
    String readme = Files.readString(Path.of("README.md"));
    for (Setting setting : plugin.settings()) {
      assertThat(readme).contains("| `" + setting.name() + "` | `" + setting.defaultValue() + "` |");
    }
  }

  @Test
  void everySettingIsReadAndChecked() {
    Map<String, String> given = Map.of("size", "2M", "max-size", "8M", "areas", "4", "force", "true", "quota", "64K", "stage", "false");
    assertThat(plugin.create(Settings.of(plugin, given)).config())
        .isEqualTo(new SwiotlbConfig(2 << 20, 8 << 20, 4, true, 64 << 10, false));
    requireRefused("size", "64K");
    requireRefused("max-size", "1M");
    requireRefused("areas", "5000");
    requireRefused("quota", "100");
    requireRefused("force", "maybe");
  }

  private void requireRefused(String name, String value) {
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of(name, value))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name);
  }
}
