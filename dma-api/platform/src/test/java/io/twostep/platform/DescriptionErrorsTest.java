package io.twostep.platform;

import static io.twostep.platform.FakePlugins.ADDRESS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.spi.MachinePlugin;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Every mistake in a description has a line of its own that says what to do. */
class DescriptionErrorsTest {
  private final FakePlugins fakes = new FakePlugins();

  private List<String> problems(PlatformBuilder description) {
    PlatformException thrown = catchThrowableOfType(PlatformException.class, description::build);
    assertThat(thrown).as("the description should have been refused").isNotNull();
    assertThat(fakes.journal).as("nothing may be made for a wrong description").isEmpty();
    return thrown.problems();
  }

  private List<String> stackProblems(String... backends) {
    return problems(Platform.builder(fakes.source()).machine("fake").device(ADDRESS, "disk", d -> d.backends(backends)));
  }

  @Test
  void everythingWrongIsReportedAtOnceAsANumberedList() {
    PlatformBuilder description =
        Platform.builder(fakes.source())
            .machine("fale")
            .device(ADDRESS, "dsik", d -> d.backends("outer", "flta"))
            .device("0000:02:00.0", "disk", d -> d.backends("flat").set("fiel", "x").set("flat.deth", "2"));
    PlatformException thrown = catchThrowableOfType(PlatformException.class, description::build);
    assertThat(thrown)
        .hasMessage(
            """
            the platform cannot be assembled, 5 problems:
              1. unknown machine 'fale'; did you mean 'fake'?
              2. device 0000:01:00.0: unknown device model 'dsik'; did you mean 'disk'?
              3. device 0000:01:00.0: unknown backend 'flta'; did you mean 'flat'?
              4. device 0000:02:00.0: unknown setting 'fiel' for device-model 'disk'; did you mean 'file'?
              5. device 0000:02:00.0: unknown setting 'deth' for terminal 'flat'; did you mean 'depth'?\
            """);
  }

  @Test
  void checkingReportsTheSameAndMakesNothing() {
    fakes.described().check();
    assertThat(fakes.journal).isEmpty();
    PlatformException thrown = catchThrowableOfType(PlatformException.class, () -> fakes.described().machine("fale").check());
    assertThat(thrown.problems()).containsExactly("unknown machine 'fale'; did you mean 'fake'?");
  }

  @Test
  void aMissingMachineIsAskedFor() {
    assertThat(problems(Platform.builder(fakes.source()))).containsExactly("no machine was chosen; call machine(name); there is: fake");
    assertThat(problems(Platform.builder(PluginSource.of())))
        .containsExactly("no machine was chosen; call machine(name) and add one, such as artifact io.twostep:twostep-machine-model");
  }

  @Test
  void aKnownNameThatWasNotFoundNamesTheArtifactToAdd() {
    assertThat(problems(Platform.builder(fakes.source()).machine("model").device(ADDRESS, "nvme", d -> d.backends("iommu"))))
        .containsExactly(
            "machine 'model' was not found; add artifact io.twostep:twostep-machine-model to the class path or module path",
            "device 0000:01:00.0: device model 'nvme' was not found; add artifact io.twostep:twostep-devices-nvme to the class path"
                + " or module path",
            "device 0000:01:00.0: backend 'iommu' was not found; add artifact io.twostep:twostep-backend-iommu to the class path"
                + " or module path");
  }

  @Test
  void anUnknownMachineSettingNamesTheNearest() {
    assertThat(problems(fakes.described().set("memroy", "4G")))
        .containsExactly("machine: unknown setting 'memroy' for machine 'fake'; did you mean 'memory'?");
  }

  @Test
  void aDeviceDescribedTwiceIsRefused() {
    assertThat(problems(fakes.described().device(ADDRESS, "disk", d -> d.backends("flat"))))
        .containsExactly("device 0000:01:00.0 is described twice");
  }

  @Test
  void aStackNeedsBackends() {
    assertThat(stackProblems())
        .containsExactly("device 0000:01:00.0: no backends were chosen; call backends(...); there is: deep, flat, inner, outer");
  }

  @Test
  void aStackNeedsATerminal() {
    assertThat(stackProblems("outer"))
        .containsExactly("device 0000:01:00.0: the stack outer has no terminal at its end; there is: deep, flat");
  }

  @Test
  void aStackHasOneTerminal() {
    assertThat(stackProblems("outer", "flat", "deep"))
        .containsExactly("device 0000:01:00.0: the stack outer,flat,deep has more than one terminal: flat, deep; leave one");
  }

  @Test
  void theTerminalComesLast() {
    assertThat(stackProblems("flat", "outer"))
        .containsExactly("device 0000:01:00.0: in the stack flat,outer, the terminal 'flat' must come last");
  }

  @Test
  void layersKeepTheOrderTheyDeclare() {
    assertThat(stackProblems("inner", "outer", "flat"))
        .containsExactly(
            "device 0000:01:00.0: in the stack inner,outer,flat, 'inner' must lie inside 'outer', nearer to memory: write 'outer' first");
  }

  @Test
  void aBackendIsInAStackOnce() {
    assertThat(stackProblems("inner", "inner", "flat"))
        .containsExactly("device 0000:01:00.0: backend 'inner' is in the stack inner,inner,flat twice");
  }

  @Test
  void settingsOfABackendOutsideTheStackAreRefused() {
    assertThat(problems(Platform.builder(fakes.source()).machine("fake").device(ADDRESS, "disk", d -> d.backends("flat").set("deep.depth", "2"))))
        .containsExactly("device 0000:01:00.0: settings {depth=2} are for backend 'deep', which is not in the stack flat; there is: flat");
  }

  @Test
  void settingsOfTheDriverAreChecked() {
    assertThat(problems(Platform.builder(fakes.source()).machine("fake").device(ADDRESS, "disk", d -> d.backends("flat").set("driver.queue", "2"))))
        .containsExactly("device 0000:01:00.0: no driver has a setting 'queue'; did you mean 'queues'?");
  }

  @Test
  void anUnknownBackendHasNoFollowUps() {
    assertThat(
            problems(
                Platform.builder(fakes.source()).machine("fake").device(ADDRESS, "disk", d -> d.backends("outer", "falt").set("flat.depth", "2"))))
        .containsExactly("device 0000:01:00.0: unknown backend 'falt'; did you mean 'flat'?");
  }

  @Test
  void aDriverSettingWithoutAnyDriverSaysSo() {
    assertThat(
            problems(
                Platform.builder(PluginSource.of(fakes.machine, fakes.flat, fakes.disk))
                    .machine("fake")
                    .device(ADDRESS, "disk", d -> d.backends("flat").set("driver.queue", "2"))))
        .containsExactly("device 0000:01:00.0: no driver has a setting 'queue'; no driver plugin has any setting");
  }

  @Test
  void slotSettingsAreChecked() {
    PlatformBuilder description =
        Platform.builder(fakes.source())
            .machine("fake")
            .device(ADDRESS, "disk", d -> d.backends("flat").set("trusted", "maybe").set("translation", "some").set("address-bits", "65"));
    assertThat(catchThrowableOfType(PlatformException.class, description::check).problems())
        .isEqualTo(catchThrowableOfType(PlatformException.class, description::build).problems())
        .containsExactly(
            "device 0000:01:00.0: setting 'address-bits' is '65'; it must be a whole number from 1 to 64",
            "device 0000:01:00.0: setting 'translation' is 'some'; it must be one of [translated, identity, blocked, none]",
            "device 0000:01:00.0: setting 'trusted' is 'maybe'; it must be true or false");
  }

  @Test
  void settingsOfADeviceWithoutModelAreRefused() {
    assertThat(problems(Platform.builder(fakes.source()).machine("fake").device(ADDRESS, d -> d.backends("flat").set("file", "x"))))
        .containsExactly(
            "device 0000:01:00.0: settings [file] belong to a device model and none was named; write device(address, model, ...)");
  }

  @Test
  void twoPluginsOfOneNameAreNamedWithTheirPlaces() {
    MachinePlugin other = new FakePlugins.FakeMachinePlugin("fake", s -> null);
    assertThat(problems(fakes.described().plugins(PluginSource.of(other))))
        .singleElement()
        .asString()
        .startsWith("two machines are called 'fake': io.twostep.platform.FakePlugins$FakeMachinePlugin in ")
        .contains(" and io.twostep.platform.FakePlugins$FakeMachinePlugin in ")
        .endsWith("; leave one out");
  }

  @Test
  void aPluginOfAnotherSpiVersionIsRefused() {
    assertThat(problems(fakes.described().plugins(PluginSource.of(new FakePlugins.OldPlugin()))))
        .singleElement()
        .asString()
        .endsWith(": built for SPI version 0, this is version 1; rebuild it or use its matching release");
  }

  @Test
  void aMalformedNameIsRefused() {
    assertThat(problems(fakes.described().plugins(PluginSource.of(new FakePlugins.FakeMachinePlugin("Fake_2", s -> null)))))
        .singleElement()
        .asString()
        .endsWith(": its name, 'Fake_2', must be of the form [a-z][a-z0-9-]{0,31}");
  }
}
