package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.migrate.Verdict.Answer;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Predicate;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sources whose machine is lost: what they kept in files starts the guest again, if the record lets it. */
class LostSourceTest {
  private static final MigrationConfig CONFIG = MigrationConfig.DEFAULT.withChunkBytes(16384).withDowntimeNanos(4000);
  private static final ModelConfig MODEL = ModelConfig.DEFAULT.withPagesPerTurn(2);

  @TempDir Path work;

  /** When the machine is lost, and what the record lets the source do then. */
  private enum Loss {
    BEFORE_ANYTHING(0, Answer.UNRESOLVED, migration -> true),
    WHILE_THE_GUEST_RUNS(0, Answer.UNRESOLVED, migration -> migration.source.progress().rounds() == 2),
    WHILE_IT_STANDS_STILL(0, Answer.UNRESOLVED, migration -> migration.source.phase() == Phase.STOP_COPY),
    BEFORE_THE_END_IS_KEPT(0, Answer.UNRESOLVED, migration -> migration.source.phase() == Phase.UNRESOLVED),
    BETWEEN_CHECKPOINT_AND_COMMIT(1, Answer.UNRESOLVED, migration -> migration.target.phase() == Phase.PREPARED),
    AFTER_THE_COMMIT(-1, Answer.DESTINATION, migration -> migration.target.phase() == Phase.COMMITTED);

    final long session;
    final Answer answer;
    final Predicate<Migration> reached;

    Loss(long session, Answer answer, Predicate<Migration> reached) {
      this.session = session;
      this.answer = answer;
      this.reached = reached;
    }
  }

  private Migration migration(Kept kept) {
    return new Migration(Seeds.SEED, 256 << 10, 2, MODEL, CONFIG, kept, true);
  }

  @ParameterizedTest
  @EnumSource
  void aLostSourceStartsAgainFromWhatItKeptUnlessTheDestinationTookOver(Loss loss) throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = migration(files)) {
      while (!loss.reached.test(migration)) {
        migration.step();
      }
      migration.loseNear(Seeds.SEED + 2);
      Verdict verdict = Recovery.assess(migration.store, files.checkpoint(), files.spool());
      assertThat(verdict.answer()).as("%s", verdict.explain()).isEqualTo(loss.answer);
      if (loss.session < 0) {
        assertThat(verdict.resumable()).containsExactly(Side.DESTINATION);
        refuses(() -> migration.resumeNear(true), Kind.FENCED, "resume the destination");
        migration.stepTarget();
        assertThat(migration.isRunningFar()).isTrue();
      } else {
        assertThat(verdict.resumable()).contains(Side.SOURCE);
        assertThat(verdict.resumable().contains(Side.DESTINATION)).as("the destination has everything").isEqualTo(loss.session == 1);
        assertThat(verdict.explain()).contains("migration 1 is not resolved").contains("claim the guest for one of [SOURCE");
        refuses(() -> migration.resumeNear(false), Kind.UNRESOLVED, "claim the guest, which fences the other side off");
        migration.resumeNear(true);
        assertThat(migration.resumedSession).isEqualTo(loss.session);
        assertThat(Recovery.assess(migration.store, files.checkpoint(), files.spool()).answer()).isEqualTo(Answer.SOURCE);
        migration.pipe.cut();
        assertThatExceptionOfType(MigrationException.class).isThrownBy(migration::stepTargetToItsEnd);
        assertThat(migration.target.phase()).isEqualTo(Phase.FAILED);
      }
      migration.drainAndVerify();
    }
  }

  @Test
  void aSourceThatWasThoughtLostIsFencedOffByTheOneThatTookItsPlace() throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = migration(files);
        Host other = new Host(Seeds.SEED + 3, "adversarial", 256 << 10, 2, MODEL)) {
      while (migration.target.phase() != Phase.PREPARED) {
        migration.step();
      }
      Recovery.resumeSource(other.guest, other.devices, Objects.requireNonNull(files.checkpoint()), migration.store, GuestControl.NONE, true);
      refuses(migration.source::cancel, Kind.FENCED, "migration 1 cannot be cancelled");
      refuses(migration.target::step, Kind.FENCED, "the source kept the guest of migration 1");
      assertThat(migration.isRunningNear()).as("runs where it was thought lost").isFalse();
    }
  }

  @Test
  void aGuestThatCannotBeKeptGoesOnAndStaysKeptAsItWas() throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = migration(files)) {
      refuses(
          () -> CheckpointWriter.write(migration.near.guest, migration.near.devices, migration.store, migration.nearControl(), Checkpoint.NONE), Kind.FENCED, "cannot keep a guest that moves");
      migration.source.cancel();
      Path checkpoint = work.resolve("checkpoint");
      byte[] before = Files.readAllBytes(checkpoint);
      FullDisk full = new FullDisk(files.newCheckpoint());
      full.failCall(3);
      refuses(() -> CheckpointWriter.write(migration.near.guest, migration.near.devices, migration.store, migration.nearControl(), full), Kind.STORAGE, "the checkpoint cannot be written: no space");
      assertThat(Files.readAllBytes(checkpoint)).isEqualTo(before);
      assertThat(migration.isRunningNear()).isTrue();
      migration.drainAndVerify();
    }
  }

  @Test
  void checkpointsOfWhichAnyPartIsWrongStartNothing() throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = migration(files)) {
      migration.loseNear(Seeds.SEED + 2);
      Path checkpoint = work.resolve("checkpoint");
      byte[] whole = Files.readAllBytes(checkpoint);
      for (int part = 0; part < 16; part++) {
        byte[] wrong = part % 2 == 0 ? whole.clone() : Arrays.copyOf(whole, whole.length * part / 16);
        wrong[wrong.length / 2] ^= 4;
        Files.write(checkpoint, wrong);
        assertThat(Recovery.assess(migration.store, files.checkpoint(), null).resumable()).isEmpty();
        refuses(() -> migration.resumeNear(true), Kind.DATA, "the source's checkpoint starts no guest");
      }
      Files.write(checkpoint, whole);
      migration.resumeNear(true);
      migration.drainAndVerify();
    }
  }

  @Test
  void aDeviceThatRefusesItsStateIsNotTakenForADamagedCheckpoint() throws IOException {
    try (Kept.InFiles files = new Kept.InFiles(work);
        Migration migration = migration(files)) {
      migration.loseNear(Seeds.SEED + 3);
      // Both halves of both devices are suspended before.
      migration.near.commands.arm(5);
      refuses(() -> migration.resumeNear(true), Kind.DEVICE, "load failed");
      migration.resumeNear(true);
      migration.drainAndVerify();
    }
  }

  private static void refuses(ThrowingCallable call, Kind kind, String message) {
    assertThatExceptionOfType(MigrationException.class).isThrownBy(call).withMessageContaining(message).extracting(MigrationException::kind).isEqualTo(kind);
  }

  @Test
  void whicheverCallOfTheCheckpointFailsOnceWhatIsPublishedIsWhole() throws IOException {
    boolean failed = true;
    for (int nth = 1; failed; nth++) {
      Kept kept = new Kept.InMemory();
      MigrationConfig config = MigrationConfig.DEFAULT.withChunkBytes(32 << 10);
      try (Migration migration = new Migration(Seeds.SEED, 128 << 10, 1, ModelConfig.DEFAULT, config, kept, false)) {
        migration.checkpoint.failCall(nth);
        while (!(migration.source.phase().isEnd() && migration.target.phase().isEnd())) {
          try {
            migration.step();
          } catch (MigrationException e) {
            assertThat(e.kind()).isEqualTo(Kind.STORAGE);
          }
        }
        failed = migration.checkpoint.hasFailed();
        assertThat(StoredGuest.inspect(Objects.requireNonNull(kept.checkpoint()))).as("after call %d failed", nth).isNotNull();
        migration.drainAndVerify();
      }
    }
  }
}
