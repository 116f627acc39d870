package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.state.MigrationFeatures;
import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whole migrations of guests whose devices never rest. */
class MigrationTest {
  private static final MigrationConfig CONFIG = MigrationConfig.DEFAULT.withChunkBytes(16384).withDowntimeNanos(4000);

  @ParameterizedTest
  @CsvSource({"1, 1, AUTO", "1, 3, AUTO", "1, 5, AUTO", "1, 7, AUTO", "2, 7, IOMMU", "3, 7, DEVICE", "2, 3, DEVICE", "2, 5, DEVICE"})
  void guestsArriveBitForBitAndGoOn(int devices, int features, WriteTracking tracking) {
    ModelConfig model = ModelConfig.DEFAULT.withPagesPerTurn(2).withFeatures(MigrationFeatures.of(features));
    try (Migration migration = new Migration(Seeds.SEED, devices, model, CONFIG.withTracking(tracking))) {
      while (migration.target.phase() != Phase.PREPARED) {
        migration.step();
      }
      for (int i = 0; i < devices; i++) {
        int differs = Arrays.mismatch(migration.far.models.get(i).state(), migration.near.models.get(i).state());
        assertThat(differs).as("first byte of device %d that differs, %s", i, Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
      }
      assertThat(migration.far.guest.segment().mismatch(migration.near.guest.segment())).as("first byte of memory that differs, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
      assertThat(migration.near.models.stream().mapToInt(m -> m.inFlight()).sum()).as("commands half done while it moved").isPositive();
      migration.run();
      Progress progress = migration.source.progress();
      assertThat(progress.phase()).isEqualTo(Phase.DONE);
      assertThat(migration.target.phase()).isEqualTo(Phase.DONE);
      assertThat(progress.rounds()).isGreaterThan(2);
      assertThat(progress.dirtyPages()).isPositive();
      assertThat(progress.precopyBytes()).isGreaterThan(Migration.GUEST);
      assertThat(progress.stopCopyBytes()).isPositive();
      assertThat(progress.downtimeNanos()).isPositive();
      assertThat(migration.isRunningNear()).isFalse();
      assertThat(migration.near.devices).allMatch(device -> device.state() == DeviceState.STOP);
      migration.drainAndVerify();
    }
  }

  @Test
  void aSourceThatWasCancelledMigratesLater() throws IOException {
    ModelConfig model = ModelConfig.DEFAULT.withPagesPerTurn(2);
    try (Migration migration = new Migration(Seeds.SEED, 2, model, CONFIG)) {
      SplittableRandom random = new SplittableRandom(Seeds.SEED);
      for (int session = 2; session < 7; session++) {
        for (int steps = random.nextInt(60); steps > 0 && migration.source.phase() != Phase.UNRESOLVED; steps--) {
          migration.step();
        }
        assertThat(migration.source.cancel()).isTrue();
        assertThat(migration.source.cancel()).as("again").isTrue();
        assertThat(migration.isRunningNear()).isTrue();
        assertThat(migration.near.devices).allMatch(device -> device.state() == DeviceState.RUNNING);
        migration.startAgain(session);
      }
      migration.run();
      assertThat(migration.source.phase()).isEqualTo(Phase.DONE);
      assertThat(migration.source.cancel()).as("too late").isFalse();
      migration.drainAndVerify();
    }
  }

  @Test
  void aMigrationThatIsUnderWayFencesOffAnother() throws IOException {
    try (Migration migration = new Migration(Seeds.SEED, 1, ModelConfig.DEFAULT, CONFIG)) {
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> migration.newSource(2))
          .withMessageContaining("cannot begin migration 2")
          .extracting(MigrationException::kind)
          .isEqualTo(Kind.FENCED);
      while (migration.target.phase() != Phase.PREPARED) {
        migration.step();
      }
      assertThat(migration.source.cancel()).isTrue();
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(migration.target::step)
          .withMessageContaining("the source kept the guest of migration 1")
          .extracting(MigrationException::kind)
          .isEqualTo(Kind.FENCED);
      assertThat(migration.target.phase()).isEqualTo(Phase.FAILED);
      migration.drainAndVerify();
    }
  }

  @Test
  void guestsThatDoNotFitAreRefusedAndGoOnWhereTheyAre() throws IOException {
    try (Migration migration = new Migration(Seeds.SEED, 1, ModelConfig.DEFAULT, CONFIG);
        Host small = new Host(Seeds.SEED, "adversarial", 8192, 1, ModelConfig.DEFAULT)) {
      MigrationTarget target = new MigrationTarget(small.guest, small.devices, migration.pipe.far(), migration.pipe.far(), migration.store, GuestControl.NONE, Spool.NONE);
      assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> alternate(migration, target)).withMessageContaining("does not fit one of 8192 bytes");
      assertThat(target.phase()).isEqualTo(Phase.FAILED);
      assertThatExceptionOfType(MigrationException.class).isThrownBy(migration.source::step).withMessageContaining("the destination gave up: a guest of 1048576 bytes and 1 devices");
      assertThat(migration.source.cancel()).isTrue();
      migration.drainAndVerify();
    }
  }

  private static void alternate(Migration migration, MigrationTarget target) {
    for (int i = 0; i < 1000; i++) {
      migration.source.step();
      target.step();
      migration.live();
    }
  }
}
