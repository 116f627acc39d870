package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Destinations that are thought lost: where another one took up what they received, they do not run it too. */
class LostDestinationTest {
  private static final MigrationConfig CONFIG = MigrationConfig.DEFAULT.withChunkBytes(16384).withDowntimeNanos(4000);
  private static final ModelConfig MODEL = ModelConfig.DEFAULT.withPagesPerTurn(2);
  private static final long GUEST = 256 << 10;

  @TempDir Path work;

  private static void stepTargetTo(Migration migration, Phase phase) {
    while (migration.target.phase() != phase) {
      migration.step();
    }
  }

  private static void resumeElsewhere(Migration migration, Kept kept, Host other) throws IOException {
    Recovery.resumeDestination(other.guest, other.devices, Objects.requireNonNull(kept.spool()), migration.store, GuestControl.NONE, true);
  }

  private static void refuses(ThrowingCallable call, Kind kind, String message) {
    assertThatExceptionOfType(MigrationException.class).isThrownBy(call).withMessageContaining(message).extracting(MigrationException::kind).isEqualTo(kind);
  }

  private static void isFencedOff(Migration migration) throws IOException {
    refuses(migration.target::step, Kind.FENCED, "somebody else took over the guest of migration 1");
    assertThat(migration.isRunningFar()).as("runs where it was thought lost").isFalse();
    assertThat(migration.source.cancel()).as("kept").isFalse();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void destinationWhoseCommitWasNotAnsweredIsFencedOffByTheOneThatTookItsPlace(boolean happened) throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = new Migration(Seeds.SEED, GUEST, 1, MODEL, CONFIG, files, false);
        Host other = new Host(Seeds.SEED + 3, "adversarial", GUEST, 1, MODEL)) {
      stepTargetTo(migration, Phase.PREPARED);
      migration.store.failChange(1, happened);
      refuses(migration.target::step, Kind.STORAGE, "destination, PREPARED");
      resumeElsewhere(migration, files, other);
      isFencedOff(migration);
    }
  }

  /** Whoever was refused did not make the change, whatever fails after that. */
  @Test
  void destinationThatCameTooLateDoesNotTakeTheChangeOfAnotherForItsOwn() throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = new Migration(Seeds.SEED, GUEST, 1, MODEL, CONFIG, files, false)) {
      stepTargetTo(migration, Phase.PREPARED);
      Ownership begun = migration.store.read();
      assertThat(migration.store.compareAndSet(begun, begun.takenByDestination())).isTrue();
      migration.store.failRead(1);
      refuses(migration.target::step, Kind.STORAGE, "destination, PREPARED");
      isFencedOff(migration);
    }
  }
}
