package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
  private enum Flush {
    STRICT,
    LAZY_FLUSH
  }

  private static final MachinePlugin PLUGIN =
      new MachinePlugin() {
        @Override
        public String name() {
          return "toy";
        }

        @Override
        public int spiVersion() {
          return Spi.VERSION;
        }

        @Override
        public String description() {
          return "a toy";
        }

        @Override
        public List<Setting> settings() {
          return List.of(
              new Setting("memory", "64MiB", "bytes of memory"),
              new Setting("seed", "0x10", "a number"),
              new Setting("flush", "strict", "when to flush"),
              new Setting("adversarial", "false", "whether to be nasty"));
        }

        @Override
        public Machine create(Settings settings) {
          throw new UnsupportedOperationException("only the settings of this plugin are looked at");
        }
      };

  private static Settings with(String name, String value) {
    return Settings.of(PLUGIN, Map.of(name, value));
  }

  @Test
  void givesDefaultsForWhatIsNotSet() {
    Settings settings = Settings.defaults(PLUGIN);
    assertThat(settings.bytes("memory")).isEqualTo(64L << 20);
    assertThat(settings.number("seed")).isEqualTo(16);
    assertThat(settings.choice("flush", Flush.class)).isEqualTo(Flush.STRICT);
    assertThat(settings.flag("adversarial")).isFalse();
    assertThat(settings).isEqualTo(Settings.of(PLUGIN, Map.of())).hasSameHashCodeAs(Settings.of(PLUGIN, Map.of()));
    assertThat(settings.asMap()).hasSize(4).containsEntry("memory", "64MiB");
  }

  @Test
  void takesWhatIsSet() {
    assertThat(with("memory", "1G").bytes("memory")).isEqualTo(1L << 30);
    assertThat(with("seed", "-5").number("seed")).isEqualTo(-5);
    assertThat(with("seed", "0xffffffffffffffff").number("seed")).isEqualTo(-1);
    assertThat(with("flush", "lazy-flush").choice("flush", Flush.class)).isEqualTo(Flush.LAZY_FLUSH);
    assertThat(with("adversarial", "Yes").flag("adversarial")).isTrue();
  }

  @Test
  void namesTheNearestSettingForAnUnknownOne() {
    assertThatThrownBy(() -> with("memroy", "1G"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("unknown setting 'memroy' for machine 'toy'; did you mean 'memory'?");
    assertThat(Settings.problems(PLUGIN, Map.of("b", "1", "a", "2"))).hasSize(2).first().asString().contains("'a'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory", "seed", "flush", "adversarial"})
  void namesSettingValueAndFormWhenAValueIsBad(String name) {
    Settings settings = with(name, "nonsense");
    assertThatThrownBy(
            () -> {
              switch (name) {
                case "memory" -> settings.bytes(name);
                case "seed" -> settings.number(name);
                case "flush" -> settings.choice(name, Flush.class);
                default -> settings.flag(name);
              }
            })
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("setting '" + name + "' of toy is 'nonsense'; it must be ");
  }

  @Test
  void refusesNumbersOutsideTheirRange() {
    assertThat(with("seed", "8").number("seed", 1, 8)).isEqualTo(8);
    assertThatThrownBy(() -> with("seed", "9").number("seed", 1, 8)).hasMessageContaining("from 1 to 8");
    assertThatThrownBy(() -> with("seed", "0").number("seed", 1, 8)).hasMessageContaining("from 1 to 8");
  }

  @Test
  void refusesToReadASettingThatIsNotDeclared() {
    assertThatThrownBy(() -> Settings.defaults(PLUGIN).text("colour"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("declares no setting 'colour'");
  }
}
