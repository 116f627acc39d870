package io.twostep.platform;

import static io.twostep.platform.FakePlugins.ADDRESS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.platform.FakePlugins.FakeDriver;
import org.junit.jupiter.api.Test;

/** Everything is closed in reverse order, whatever fails on the way, and nothing a device could still reach is given back. */
class CloseTest {
  private final FakePlugins fakes = new FakePlugins();

  private FakeMachine.FakeSlot slot(Platform platform) {
    return ((FakeMachine) platform.machine()).slots.get(ADDRESS);
  }

  @Test
  void driversMappersBackendsAndMachineCloseInThisOrder() {
    Platform platform = fakes.described().build();
    platform.open(ADDRESS, FakeDriver.class);
    fakes.journal.clear();
    platform.close();
    assertThat(fakes.journal)
        .containsExactly(
            "quiesce", "close driver", "stop " + ADDRESS, "detach flat1", "close flat1", "close machine", "close model");
  }

  @Test
  void theDriverOpenedLastClosesFirst() {
    String other = "0000:02:00.0";
    Platform platform = fakes.described().device(other, "disk", d -> d.backends("flat")).build();
    platform.open(other, FakeDriver.class);
    platform.open(ADDRESS, FakeDriver.class);
    platform.close();
    assertThat(fakes.journal).containsSubsequence("stop " + ADDRESS, "stop " + other);
  }

  @Test
  void closingAgainDoesNothing() {
    Platform platform = fakes.described().build();
    platform.close();
    fakes.journal.clear();
    platform.close();
    assertThat(fakes.journal).isEmpty();
  }

  @Test
  void aClosedPlatformAttachesNothing() {
    Platform platform = fakes.described().build();
    platform.close();
    assertThatThrownBy(() -> platform.attach(ADDRESS, DeviceLimits.UNLIMITED))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("device 0000:01:00.0: the platform is closed");
    assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class)).hasMessageContaining("the platform is closed");
  }

  @Test
  void failuresAreCollectedAndTheRestStillCloses() {
    Platform platform =
        Platform.builder(fakes.source())
            .machine("fake")
            .device(ADDRESS, "disk", d -> d.backends("flat").set("flat.stays-open", "true"))
            .build();
    FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
    driver.closeFailure = new IllegalStateException("the controller did not answer");
    PlatformException thrown = catchThrowableOfType(PlatformException.class, platform::close);
    assertThat(thrown.problems()).containsExactly("the controller did not answer", "flat1 stays open");
    assertThat(thrown.getSuppressed()).hasSize(2).contains(driver.closeFailure);
    assertThat(fakes.journal)
        .endsWith("stop " + ADDRESS, "reset " + ADDRESS, "detach flat1", "close flat1", "close machine", "close model");
  }

  @Test
  void aDeviceThatDoesNotStopIsQuarantinedWithAllItCouldReach() {
    Platform platform = fakes.described().build();
    FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
    driver.closeFailure = new IllegalStateException("the controller did not answer");
    slot(platform).refusesReset = true;
    PlatformException thrown = catchThrowableOfType(PlatformException.class, platform::close);
    assertThat(thrown.problems())
        .containsExactly(
            "the controller did not answer",
            "device 0000:01:00.0: did not stop; it is quarantined with all memory it could reach");
    assertThat(fakes.journal).doesNotContain("detach flat1", "close flat1", "close machine");
    assertThatCode(platform::close).doesNotThrowAnyException();
    assertThat(fakes.journal).doesNotContain("close machine");
  }

  @Test
  void aQuarantinedDeviceIsNotAttachedAgain() {
    Platform platform = fakes.described().build();
    FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
    driver.closeFailure = new IllegalStateException("the controller did not answer");
    slot(platform).refusesReset = true;
    assertThatThrownBy(() -> platform.release(ADDRESS)).isInstanceOf(PlatformException.class);
    assertThatThrownBy(() -> platform.mapper(ADDRESS).map(0, 1, DmaDirection.TO_DEVICE, 0)).hasMessageContaining("detached");
    assertThatThrownBy(() -> platform.attach(ADDRESS, DeviceLimits.UNLIMITED)).hasMessageContaining("quarantined");
  }

  @Test
  void liveMappingsKeepWhatTheyUseOpenUntilTheyAreGone() {
    Platform platform = fakes.described().build();
    DmaMapping mapping = platform.mapper(ADDRESS).map(0x1000, 16, DmaDirection.TO_DEVICE, 0);
    assertThatThrownBy(platform::close)
        .isInstanceOf(PlatformException.class)
        .hasMessage(
            "the platform did not close: device 0000:01:00.0: 1 mapping is still live; the device was stopped; unmap and close"
                + " again");
    assertThat(fakes.journal).contains("stop " + ADDRESS, "reset " + ADDRESS).doesNotContain("close flat1", "close machine");
    mapping.close();
    platform.close();
    assertThat(fakes.journal).endsWith("unmap flat1", "stop " + ADDRESS, "detach flat1", "close flat1", "close machine", "close model");
  }

  @Test
  void releasingADeviceReportsWhatFailed() {
    try (Platform platform = fakes.described().build()) {
      FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
      driver.closeFailure = new IllegalStateException("the controller did not answer");
      assertThatThrownBy(() -> platform.release(ADDRESS))
          .isInstanceOf(PlatformException.class)
          .hasMessage("device 0000:01:00.0 was not released: the controller did not answer");
      assertThat(fakes.journal).endsWith("stop " + ADDRESS, "reset " + ADDRESS, "detach flat1");
    }
  }
}
