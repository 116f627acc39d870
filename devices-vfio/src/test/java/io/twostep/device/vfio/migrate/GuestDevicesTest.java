package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.state.MigrationFeatures;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Of several devices of a guest one fails, at every command in its turn: that is not the others' affair. */
class GuestDevicesTest {
  private static final int DEVICES = 3;
  private static final long GUEST = 384 << 10;
  private static final MigrationConfig CONFIG = MigrationConfig.DEFAULT.withChunkBytes(8192);

  private final List<String> calls = new ArrayList<>();
  private final GuestControl control =
      new GuestControl() {
        @Override
        public void pause() {
          calls.add("pause");
        }

        @Override
        public void resume() {
          calls.add("resume");
        }
      };

  private static ModelConfig model(int features) {
    return ModelConfig.DEFAULT.withFeatures(MigrationFeatures.of(features));
  }

  private static Host host(int features) {
    return new Host(Seeds.SEED, "adversarial", GUEST, DEVICES, model(features));
  }

  /** Something is to be done that may fail. */
  @FunctionalInterface
  private interface Attempt {
    void run() throws IOException;
  }

  /** Has the n-th command fail; returns whether there was one. */
  private static boolean fails(Host host, int nth, Attempt attempt) throws IOException {
    host.commands.arm(nth);
    try {
      attempt.run();
    } catch (MigrationException e) {
      assertThat(e.kind()).isEqualTo(Kind.DEVICE);
    }
    boolean fired = host.commands.fired();
    host.commands.arm(0);
    return fired;
  }

  /** One device at most does not work for a command that failed; where it does not answer peers, none asks. */
  private static void requireOthersWork(Host host, boolean peers, int nth) {
    List<MigratableDevice> silent = host.devices.stream().filter(device -> !device.state().answersPeers()).toList();
    List<MigratableDevice> idle = host.devices.stream().filter(device -> !device.state().startsDma()).toList();
    assertThat(silent).as("silent after command %d", nth).hasSizeLessThanOrEqualTo(1);
    assertThat(idle).as("idle after command %d, with %s silent", nth, silent).hasSizeLessThanOrEqualTo(peers && !silent.isEmpty() ? DEVICES : 1);
    if (peers && !silent.isEmpty()) {
      assertThat(idle).as("none asks of one that is silent, after command %d", nth).hasSize(DEVICES);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void guestThatIsKeptGoesOnWithTheDevicesThatCan(int features) throws IOException {
    boolean fired = true;
    for (int nth = 1; fired; nth++) {
      calls.clear();
      try (Host host = host(features)) {
        fired = fails(host, nth, () -> CheckpointWriter.write(host.guest, host.devices, new MemoryStore(), control, Checkpoint.NONE));
        requireOthersWork(host, (features & 2) != 0, nth);
        boolean all = host.devices.stream().allMatch(device -> device.state() == DeviceState.RUNNING);
        assertThat(calls).as("after command %d", nth).isEqualTo(all ? List.of("pause", "resume") : List.of("pause"));
        GuestDevices.run(host.devices);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void guestThatIsNotMovedGoesOnWithTheDevicesThatCanAndCancelAgainHelps(int features) throws IOException {
    boolean fired = true;
    for (int nth = 1; fired; nth++) {
      try (Migration migration = new Migration(Seeds.SEED, GUEST, DEVICES, model(features), CONFIG)) {
        while (migration.source.phase() != Phase.STOP_COPY) {
          migration.step();
        }
        fired = fails(migration.near, nth, migration.source::cancel);
        requireOthersWork(migration.near, (features & 2) != 0, nth);
        assertThat(migration.isRunningNear()).isEqualTo(migration.source.phase() == Phase.CANCELLED);
        assertThat(migration.source.cancel()).isTrue();
        assertThat(migration.near.devices).allMatch(device -> device.state() == DeviceState.RUNNING);
        migration.drainAndVerify();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void guestThatWasLostGoesOnWithTheDevicesThatCan(int features) throws IOException {
    boolean fired = true;
    for (int nth = 1; fired; nth++) {
      try (Host host = host(features)) {
        host.devices.forEach(device -> device.setState(DeviceState.STOP_COPY));
        Attempt resume = () -> Recovery.resumeInPlace(host.guest, host.devices, new MemoryStore(), control);
        fired = fails(host, nth, resume);
        requireOthersWork(host, (features & 2) != 0, nth);
        resume.run();
        assertThat(host.devices).allMatch(device -> device.state() == DeviceState.RUNNING);
      }
    }
  }

  @Test
  void devicesOfAGuestThatIsElsewhereStopWhicheverOfThemFails() throws IOException {
    boolean fired = true;
    for (int nth = 1; fired; nth++) {
      try (Migration migration = new Migration(Seeds.SEED, GUEST, DEVICES, model(7), CONFIG)) {
        while (migration.source.phase() != Phase.PRE_COPY) {
          migration.step();
        }
        Ownership held = migration.store.read();
        assertThat(migration.store.compareAndSet(held, held.takenByDestination())).isTrue();
        fired = fails(migration.near, nth, migration.source::cancel);
        assertThat(migration.near.devices.stream().filter(device -> device.state() != DeviceState.STOP)).as("after command %d", nth).hasSizeLessThanOrEqualTo(1);
        assertThat(migration.source.cancel()).as("kept").isFalse();
        assertThat(migration.near.devices).allMatch(device -> device.state() == DeviceState.STOP);
      }
    }
  }

  @Test
  void destinationWhoseDevicesCannotBeResetSaysWhatFailedFirst() throws IOException {
    try (Migration migration = new Migration(Seeds.SEED, GUEST, DEVICES, model(1), CONFIG)) {
      migration.target.step();
      migration.pipe.near().write(ByteBuffer.allocate(64));
      migration.far.commands.deaf(true);
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(migration.target::step)
          .satisfies(e -> assertThat(e.kind()).isEqualTo(Kind.DATA))
          .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1))
          .satisfies(e -> assertThat(e.getSuppressed()[0].getSuppressed()).as("the other devices' resets").hasSize(DEVICES - 1));
      assertThat(migration.target.phase()).isEqualTo(Phase.FAILED);
      migration.far.commands.deaf(false);
      assertThat(migration.source.cancel()).isTrue();
    }
  }
}
