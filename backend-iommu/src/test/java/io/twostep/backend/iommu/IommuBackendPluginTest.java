package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class IommuBackendPluginTest {
  private final IommuBackendPlugin plugin = new IommuBackendPlugin();

  @Test
  void serviceFileAndModuleDescriptorNameTheSamePlugins() throws IOException {
    Path classes = Path.of(plugin.getClass().getProtectionDomain().getCodeSource().getLocation().getPath());
    String listed;
    try (InputStream file = plugin.getClass().getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      listed = new String(file.readAllBytes(), StandardCharsets.UTF_8).trim();
    }
    assertThat(listed).isEqualTo(IommuBackendPlugin.class.getName());
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
  void defaultsOfSettingsAndOfTheConfigurationAreTheSame() {
    Spi.requireCompatible(plugin);
    assertThat(plugin.kind()).isEqualTo(DmaPlugin.Kind.TERMINAL);
    IommuBackend backend = plugin.create(Settings.defaults(plugin));
    assertThat(backend.name()).isEqualTo("iommu");
    assertThat(backend.config()).isEqualTo(IommuConfig.defaults());
  }

  @Test
  void settingsReachTheConfiguration() {
    Map<String, String> given =
        Map.of("flush", "lazy", "format", "amd-v1", "granule", "16K", "iova-32bit-first", "false", "table-memory", "1M");

    assertThat(plugin.create(Settings.of(plugin, given)).config())
        .isEqualTo(new IommuConfig(FlushPolicy.LAZY, "amd-v1", 16384, false, 1 << 20, false));
  }

  @Test
  void settingsThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of("flush", "sometimes"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[strict, lazy]");
    assertThatThrownBy(() -> plugin.create(Settings.of(plugin, Map.of("granule", "5000"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("power of two");
    assertThatThrownBy(() -> Settings.of(plugin, Map.of("flash", "lazy")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("did you mean 'flush'");
  }
}
