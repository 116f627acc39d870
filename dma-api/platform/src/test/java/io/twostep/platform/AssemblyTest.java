package io.twostep.platform;

import static io.twostep.platform.FakePlugins.ADDRESS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.platform.FakePlugins.FakeDriver;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What is made from a right description, and what is undone when making it fails. */
class AssemblyTest {
  private static final String OTHER = "0000:02:00.0";

  private final FakePlugins fakes = new FakePlugins();

  private PlatformBuilder two(Consumer<DeviceBuilder> first, Consumer<DeviceBuilder> second) {
    return Platform.builder(fakes.source()).machine("fake").device(ADDRESS, "disk", first).device(OTHER, "disk", second);
  }

  @Test
  void twoInstancesOfOneBackendWithDifferentSettingsLiveSideBySide() {
    try (Platform platform = two(d -> d.backends("flat").set("flat.depth", "2"), d -> d.backends("flat").set("flat.depth", "3")).build()) {
      platform.mapper(ADDRESS);
      platform.mapper(OTHER);
    }
    assertThat(fakes.journal)
        .containsSubsequence("make flat2", "make flat3", "attach flat2 for " + ADDRESS, "attach flat3 for " + OTHER)
        .containsSubsequence("close flat3", "close flat2", "close machine");
  }

  @Test
  void whatIsSaidLaterTakesThePlaceOfWhatWasSaidBefore() {
    try (Platform platform =
        Platform.builder(fakes.source())
            .machine("nowhere").machine("fake")
            .backends("nothing").backends("inner", "flat")
            .device(ADDRESS, "disk", d -> d.set("flat.depth", "x").set("flat.depth", "2").backends("nothing").backends("flat"))
            .build()) {
      platform.mapper(ADDRESS);
    }
    assertThat(fakes.journal).contains("attach flat2 for " + ADDRESS).doesNotContain("make inner1");
  }

  @Test
  void equalSettingsShareOneInstanceWhetherWrittenOrDefault() {
    two(d -> d.backends("flat").set("flat.depth", "1"), d -> d.backends("flat")).build().close();
    assertThat(fakes.journal.stream().filter(line -> line.startsWith("make flat"))).containsExactly("make flat1");
  }

  @Test
  void devicesOfAGroupMustEndInOneInstance() {
    PlatformBuilder description =
        two(d -> d.backends("flat").set("group", "g").set("flat.depth", "2"), d -> d.backends("flat").set("group", "g"));
    assertThatThrownBy(description::build)
        .hasMessageContaining(
            "devices 0000:01:00.0 and 0000:02:00.0 share the address space of group g and must end in the same backend with the same"
                + " settings, not in flat{depth=2} and flat");
    assertThat(fakes.journal).containsSubsequence("close flat1", "close flat2", "close machine");
  }

  @Test
  void layersAreAttachedFromTheTerminalUp() {
    try (Platform platform =
        Platform.builder(fakes.source()).machine("fake").backends("outer", "inner", "flat").device(ADDRESS, "disk", d -> {}).build()) {
      platform.mapper(ADDRESS);
      assertThat(fakes.journal)
          .containsSubsequence("attach flat1 for " + ADDRESS, "attach inner1 for " + ADDRESS, "attach outer1 for " + ADDRESS);
    }
  }

  @Test
  void slotSettingsReachTheMachine() {
    try (Platform platform =
        two(
                d ->
                    d.backends("flat").set("trusted", "false").set("coherent", "false").set("translation", "identity")
                        .set("group", "g").set("address-bits", "39"),
                d -> d.backends("flat"))
            .build()) {
      FakeMachine machine = (FakeMachine) platform.machine();
      assertThat(machine.slots.get(ADDRESS).options).isEqualTo(new SlotOptions(false, false, Translation.IDENTITY, "g", 39));
      assertThat(machine.slots.get(OTHER).options).isEqualTo(SlotOptions.DEFAULT);
    }
  }

  @Test
  void everyInstanceThatRefusesItsSettingsIsReportedAndTheOthersAreClosed() {
    PlatformException thrown =
        catchThrowableOfType(
            PlatformException.class,
            () ->
                Platform.builder(fakes.source())
                    .machine("fake")
                    .device(ADDRESS, "disk", d -> d.backends("inner", "flat").set("flat.depth", "10"))
                    .device(OTHER, "disk", d -> d.backends("deep").set("file", "missing").set("deep.depth", "x"))
                    .build());
    assertThat(thrown.problems())
        .containsExactlyInAnyOrder(
            "device 0000:02:00.0: setting 'file' of disk is 'missing'; there is no such file",
            "device 0000:01:00.0: backend 'flat{depth=10}': setting 'depth' of flat is '10'; it must be a whole number from 1 to 9",
            "device 0000:02:00.0: backend 'deep{depth=x}': setting 'depth' of deep is 'x'; it must be a whole number, such as 32 or 0x20");
    assertThat(fakes.journal).containsExactly("make model", "make inner1", "plug 0000:01:00.0", "plug 0000:02:00.0", "close inner1", "close model", "close machine");
  }

  @Test
  void valuesOfMachineSlotModelAndBackendAreReportedInOneRound() {
    PlatformException thrown =
        catchThrowableOfType(
            PlatformException.class,
            () ->
                Platform.builder(fakes.source())
                    .machine("fake")
                    .set("memory", "lots")
                    .device(ADDRESS, "disk", d -> d.backends("flat").set("trusted", "maybe").set("file", "missing").set("flat.depth", "10"))
                    .device(OTHER, "disk", d -> d.backends("flat").set("flat.depth", "10"))
                    .build());
    assertThat(thrown.problems())
        .containsExactlyInAnyOrder(
            "device 0000:01:00.0: setting 'trusted' is 'maybe'; it must be true or false",
            "machine 'fake': setting 'memory' of fake is 'lots'; it must be a size such as 4096, 4K or 64MiB",
            "device 0000:01:00.0: setting 'file' of disk is 'missing'; there is no such file",
            "devices 0000:01:00.0 and 0000:02:00.0: backend 'flat{depth=10}': setting 'depth' of flat is '10'; it must be a whole number from 1 to 9");
  }

  @Test
  void aBadAddressIsReportedBesideAModelThatRefusesItsValues() {
    PlatformException thrown =
        catchThrowableOfType(
            PlatformException.class,
            () ->
                Platform.builder(fakes.source())
                    .machine("fake")
                    .backends("flat")
                    .device("nowhere", "disk", d -> d.set("file", "missing"))
                    .device(ADDRESS, "disk", d -> {})
                    .build());
    assertThat(thrown.problems())
        .hasSize(2)
        .anySatisfy(line -> assertThat(line).isEqualTo("device nowhere: setting 'file' of disk is 'missing'; there is no such file"))
        .anySatisfy(line -> assertThat(line).startsWith("device nowhere: 'nowhere' is not a PCI address"));
    assertThat(fakes.journal).containsOnlyOnce("close machine");
  }

  @Test
  void aMachineThatCannotBeMadeIsReported() {
    PluginSource broken =
        PluginSource.of(
            new FakePlugins.FakeMachinePlugin(
                "broken",
                s -> {
                  throw new IllegalStateException("no room on the disk");
                }));
    assertThatThrownBy(() -> Platform.builder(broken).machine("broken").build())
        .isInstanceOf(PlatformException.class)
        .hasMessage("the platform cannot be assembled: machine 'broken': no room on the disk");
    assertThatThrownBy(() -> fakes.described().set("memory", "lots").build())
        .hasMessage(
            "the platform cannot be assembled: machine 'fake': setting 'memory' of fake is 'lots'; it must be a size such as 4096, 4K or"
                + " 64MiB");
  }

  @Test
  void aPluginThatMakesNothingIsReported() {
    PluginSource nothing = PluginSource.of(new FakePlugins.FakeMachinePlugin("nothing", s -> null));
    assertThatThrownBy(() -> Platform.builder(nothing).machine("nothing").build())
        .hasMessageEndingWith("machine 'nothing': the plugin made nothing: its factory method returned null");
  }

  @Test
  void everyModelThatCannotBePluggedIsReportedAndClosed() {
    PlatformBuilder description =
        Platform.builder(fakes.source())
            .machine("fake")
            .backends("flat")
            .device("nowhere", "disk", d -> {})
            .device(ADDRESS, "disk", d -> {})
            .device("here", "disk", d -> {});
    assertThatThrownBy(description::build)
        .hasMessageContaining("1. device nowhere: 'nowhere' is not a PCI address")
        .hasMessageContaining("2. device here: 'here' is not a PCI address");
    assertThat(fakes.journal)
        .endsWith("make flat1", "plug " + ADDRESS, "close flat1", "close model", "close model", "close machine", "close model");
  }

  @Test
  void aMachineWithoutModelsKeepsItsDevicesAndRefusesTheirSettings() {
    FakeMachine real = new FakeMachine(fakes.journal);
    real.add(ADDRESS, "");
    PluginSource source =
        PluginSource.of(new FakePlugins.FakeMachinePlugin("real", s -> real), fakes.flat, fakes.disk);
    try (Platform platform = Platform.builder(source).machine("real").device(ADDRESS, "disk", d -> d.backends("flat")).build()) {
      assertThat(platform.machine().slot(new DeviceAddress(ADDRESS))).isSameAs(real.slots.get(ADDRESS));
    }
    assertThat(fakes.journal).doesNotContain("make model");
    assertThatThrownBy(
            () ->
                Platform.builder(source)
                    .machine("real")
                    .device(ADDRESS, "disk", d -> d.backends("flat").set("file", "x").set("trusted", "false"))
                    .device(OTHER, d -> d.backends("flat"))
                    .build())
        .hasMessageContaining(
            "1. device 0000:01:00.0: settings [trusted, file] describe a modelled device, and this one is in machine 'fake' already; leave"
                + " them out")
        .hasMessageContaining("2. device 0000:02:00.0: fake: no device at 0000:02:00.0; found: [0000:01:00.0]");
  }

  @Test
  void anUnknownDeviceIsNamedWithTheNearest() {
    try (Platform platform = fakes.described().build()) {
      assertThatThrownBy(() -> platform.mapper("0000:01:00.1"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("no device 0000:01:00.1 was described; did you mean '0000:01:00.0'?");
    }
  }

  @Test
  void attachingAgainReplacesAnIdleMapperAndRefusesALiveOne() {
    try (Platform platform = fakes.described().build()) {
      DmaMapper first = platform.attach(ADDRESS, DeviceLimits.ofBits(64));
      assertThat(platform.mapper(ADDRESS)).isSameAs(first);
      DmaMapper second = platform.attach(ADDRESS, DeviceLimits.ofBits(32));
      assertThat(second.limits().device()).isEqualTo(DeviceLimits.ofBits(32));
      assertThat(fakes.journal).containsOnlyOnce("detach flat1");
      try (var mapping = second.map(0x1000, 16, io.twostep.dma.DmaDirection.TO_DEVICE, 0)) {
        assertThat(mapping.dmaAddress()).isEqualTo(0x1000);
        assertThatThrownBy(() -> platform.attach(ADDRESS, DeviceLimits.UNLIMITED))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("device 0000:01:00.0: cannot be attached again while 1 mappings are live; unmap them first");
      }
    }
  }

  @Test
  void aMapperThatItsUserClosedIsReplaced() {
    try (Platform platform = fakes.described().build()) {
      DmaMapper first = platform.mapper(ADDRESS);
      first.close();
      DmaMapper second = platform.mapper(ADDRESS);
      assertThat(second).isNotSameAs(first);
      second.map(0x1000, 16, io.twostep.dma.DmaDirection.TO_DEVICE, 0).close();
    }
  }

  @Test
  void mapperUsesTheDescribedLimits() {
    try (Platform platform =
        Platform.builder(fakes.source())
            .machine("fake")
            .device(ADDRESS, "disk", d -> d.backends("flat").limits(DeviceLimits.ofBits(40)))
            .build()) {
      assertThat(platform.mapper(ADDRESS).limits().device()).isEqualTo(DeviceLimits.ofBits(40));
    }
  }

  @Test
  void aDriverIsFoundByItsTypeAndGetsItsSettings() {
    try (Platform platform =
        Platform.builder(fakes.source())
            .machine("fake")
            .device(ADDRESS, "disk", d -> d.backends("flat").set("driver.queues", "4"))
            .build()) {
      FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
      assertThat(driver.settings.number("queues")).isEqualTo(4);
      assertThat(driver.mapper).isSameAs(platform.mapper(ADDRESS));
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("already has the driver io.twostep.platform.FakePlugins$FakeDriver; call release(\"0000:01:00.0\") first");
      assertThatThrownBy(() -> platform.attach(ADDRESS, DeviceLimits.ofBits(32)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("already has the driver");
      assertThat(driver.mapper.isClosed()).isFalse();
      platform.release(ADDRESS);
      assertThat(platform.open(ADDRESS, FakeDriver.class)).isNotSameAs(driver);
    }
  }

  @Test
  void driverThatBindsNothingIsRefusedAndItsDeviceFreeAgain() {
    try (Platform platform = fakes.described().build()) {
      fakes.driver.bindsNothing = true;
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("device 0000:01:00.0: driver 'disk' made nothing: bind returned null");
      fakes.driver.bindsNothing = false;
      assertThat(platform.open(ADDRESS, FakeDriver.class)).isNotNull();
    }
  }

  @Test
  void driversThatDoNotFitAreRefusedWithTheReason() {
    try (Platform platform = fakes.described().build()) {
      assertThatThrownBy(() -> platform.open(ADDRESS, OtherDriver.class))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "no driver offers io.twostep.platform.AssemblyTest$OtherDriver; found: [disk (io.twostep.platform.FakePlugins$FakeDriver)]");
      fakes.driver.matches = false;
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("device 0000:01:00.0 (1b36:0010, class code 0x010802) is not a device for [disk]");
    }
  }

  @Test
  void aDriverThatCannotBeBoundLeavesTheDeviceForAnotherTry() {
    try (Platform platform = fakes.described().build()) {
      fakes.driver.bindFailure = new IllegalStateException("not ready");
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class)).hasMessage("not ready");
      fakes.driver.bindFailure = null;
      assertThat(platform.open(ADDRESS, FakeDriver.class)).isNotNull();
    }
  }

  @Test
  void aValueThatTheDriverRefusesIsReportedWithItsDevice() {
    try (Platform platform = fakes.described().build()) {
      fakes.driver.bindFailure = new IllegalArgumentException("setting 'queues' of disk is 'many'");
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("device 0000:01:00.0: driver 'disk': setting 'queues' of disk is 'many'")
          .hasCause(fakes.driver.bindFailure);
      fakes.driver.bindFailure = new IllegalArgumentException("0000:01:00.0: 3 queues are too many");
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class)).isSameAs(fakes.driver.bindFailure);
      fakes.driver.bindFailure = null;
    }
  }

  @Test
  void modelsAndBackendsAreFoundByTheirTypes() {
    try (Platform platform = fakes.described().build()) {
      assertThat(platform.model(ADDRESS, FakePlugins.FakeModel.class)).isNotNull();
      assertThatThrownBy(() -> platform.model(ADDRESS, OtherModel.class))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("its model is a io.twostep.platform.FakePlugins$FakeModel, not a ");
      assertThat(platform.backend(ADDRESS, FakePlugins.FakeTerminal.class)).isNotNull();
      assertThat(platform.backend(ADDRESS, FakePlugins.FakeLayer.class)).isNull();
    }
  }

  /** A model that nobody makes. */
  interface OtherModel extends io.twostep.dma.spi.DeviceModel {}

  /** A driver that nobody offers. */
  interface OtherDriver extends io.twostep.dma.spi.Driver {}
}
