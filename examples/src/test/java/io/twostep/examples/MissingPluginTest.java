package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.spi.DmaPlugin.Kind;
import io.twostep.platform.Platform;
import io.twostep.platform.PlatformBuilder;
import io.twostep.platform.PlatformException;
import io.twostep.platform.PluginInfo;
import io.twostep.platform.PluginSource;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whoever names a plugin of ours that is not on the path is told which artifact to add. */
class MissingPluginTest {
  static Stream<PluginInfo> plugins() {
    return Platform.plugins().plugins().stream().filter(plugin -> plugin.kind() != Kind.DRIVER);
  }

  @ParameterizedTest
  @MethodSource("plugins")
  void itsArtifactIsNamed(PluginInfo plugin) {
    PlatformException refusal = catchThrowableOfType(PlatformException.class, () -> naming(plugin).check());
    assertThat(refusal.problems()).anySatisfy(line -> assertThat(line).contains("'" + plugin.name() + "' was not found; add artifact io.twostep:" + artifact(plugin) + " "));
  }

  private static PlatformBuilder naming(PluginInfo plugin) {
    PlatformBuilder nothing = Platform.builder(PluginSource.of());
    return switch (plugin.kind()) {
      case MACHINE -> nothing.machine(plugin.name());
      case DEVICE_MODEL -> nothing.machine("model").device("0000:01:00.0", plugin.name(), d -> d.backends("direct"));
      default -> nothing.machine("model").device("0000:01:00.0", "nvme", d -> d.backends(plugin.name()));
    };
  }

  /** Classes of {@code io.twostep.device.nvme} come with {@code twostep-devices-nvme}. */
  private static String artifact(PluginInfo plugin) {
    String[] part = plugin.implementation().split("\\.");
    return "twostep-" + (part[2].equals("device") ? "devices" : part[2]) + "-" + part[3];
  }
}
