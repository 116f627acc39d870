package io.twostep.backend.direct;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class DirectBackendPluginTest {
  private final DirectBackendPlugin plugin = new DirectBackendPlugin();

  @Test
  void serviceFileAndModuleDescriptorNameTheSamePlugins() throws IOException {
    Path classes = Path.of(plugin.getClass().getProtectionDomain().getCodeSource().getLocation().getPath());
    String listed;
    try (InputStream file = plugin.getClass().getResourceAsStream("/META-INF/services/" + DmaPlugin.class.getName())) {
      listed = new String(file.readAllBytes(), StandardCharsets.UTF_8).trim();
    }
    assertThat(listed).isEqualTo(DirectBackendPlugin.class.getName());
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
    assertThat(plugin.kind()).isEqualTo(DmaPlugin.Kind.TERMINAL);
    assertThat(plugin.settings()).isEmpty();
    assertThat(plugin.create(Settings.defaults(plugin)).name()).isEqualTo("direct");
  }
}
