package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unchecked")
class ModuleTest {
  @Test
  void theModuleNeedsNothingButTheJdkLoggingAndNullnessMarks() throws Exception {
    ModuleDescriptor descriptor;
    try (InputStream in = DmaMapper.class.getResourceAsStream("/module-info.class")) {
      assertThat(in).as("module-info.class, which the Maven build compiles").isNotNull();
      descriptor = ModuleDescriptor.read(in);
    }
    assertThat(descriptor.name()).isEqualTo("io.twostep.dma");
    assertThat(descriptor.requires().stream().map(ModuleDescriptor.Requires::name).collect(Collectors.toSet()))
        .containsExactlyInAnyOrder("java.base", "org.slf4j", "org.jspecify");
    assertThat(descriptor.exports().stream().map(ModuleDescriptor.Exports::source).collect(Collectors.toSet()))
        .containsExactlyInAnyOrder("io.twostep.dma", "io.twostep.dma.spi");
    assertThat(descriptor.uses()).containsExactly("io.twostep.dma.spi.DmaPlugin");
    assertThat(descriptor.provides()).isEmpty();
  }
}
