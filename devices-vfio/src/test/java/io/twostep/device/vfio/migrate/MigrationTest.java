package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.state.MigrationFeatures;
import java.util.Arrays;
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
}
