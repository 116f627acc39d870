package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.stream.StreamLayout;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.dma.spi.Timers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Destinations, devices and owners that do what they must not: the guest goes on in one place, whole. */
class HostileMigrationTest {
  private static final long GUEST = 128 << 10;
  private static final MigrationConfig CONFIG = new MigrationConfig(5000, 6, 16384, WriteTracking.AUTO, false);
  private static final ModelConfig MODEL = ModelConfig.DEFAULT.withPagesPerTurn(2).withInternalPages(4);

  private static Migration migration(ModelConfig model, MigrationConfig config) {
    return new Migration(Seeds.SEED, GUEST, 1, model, config);
  }

  private static Migration migration() {
    return migration(MODEL, CONFIG);
  }

  private static void stepSourceTo(Migration migration, Phase phase) {
    while (migration.source.phase() != phase) {
      migration.step();
    }
  }

  private static void refuses(ThrowingCallable call, Kind kind, String message) {
    assertThatExceptionOfType(MigrationException.class).isThrownBy(call).withMessageContaining(message).extracting(MigrationException::kind).isEqualTo(kind);
  }

  /** Cancels, and sees that the guest goes on at the source. */
  private static void keep(Migration migration) throws IOException {
    assertThat(migration.source.cancel()).as("kept").isTrue();
    assertThat(migration.isRunningNear()).isTrue();
    migration.drainAndVerify();
  }

  private static void answer(Migration migration, int tag, long session) throws IOException {
    ChannelWriter liar = new ChannelWriter(migration.pipe.far(), new Ownership(2, Side.SOURCE, session), 4096, Checkpoint.NONE);
    liar.begin(tag, false, 0);
    liar.finish();
    liar.flush();
  }

  @ParameterizedTest
  @EnumSource(value = Phase.class, names = {"PRE_COPY", "STOP_COPY", "UNRESOLVED"})
  void aDestinationThatSaysItRunsWhatItDoesNotHoldIsNotBelieved(Phase phase) throws IOException {
    try (Migration migration = migration()) {
      stepSourceTo(migration, phase);
      answer(migration, ChannelTags.RUNNING, 1);
      refuses(migration.source::step, Kind.DATA, "source, " + phase);
      refuses(migration.source::step, Kind.DATA, "not to be trusted");
      keep(migration);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aDestinationThatTakesTheGuestBeforeItIsItsEndsItAtTheSource(boolean says) throws IOException {
    try (Migration migration = migration()) {
      stepSourceTo(migration, Phase.PRE_COPY);
      Ownership held = migration.store.read();
      assertThat(migration.store.compareAndSet(held, held.takenByDestination())).isTrue();
      if (says) {
        answer(migration, ChannelTags.RUNNING, 1);
        migration.source.step();
      } else {
        stepSourceTo(migration, Phase.DONE);
      }
      assertThat(migration.source.phase()).isEqualTo(Phase.DONE);
      assertThat(migration.isRunningNear()).as("the guest that was taken").isFalse();
      assertThat(migration.source.cancel()).as("kept").isFalse();
    }
  }

  @Test
  void answersOfAnotherMigrationAndNoiseEndTheAttemptAndNotTheGuest() throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    for (int i = 0; i < 12; i++) {
      try (Migration migration = migration()) {
        stepSourceTo(migration, Phase.PRE_COPY);
        if (i == 0) {
          answer(migration, ChannelTags.RUNNING, 77);
          refuses(migration.source::step, Kind.DATA, "answers for another migration");
        } else {
          byte[] noise = new byte[1 + random.nextInt(3000)];
          random.nextBytes(noise);
          migration.pipe.far().write(ByteBuffer.wrap(noise));
          assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> stepToTheEnd(migration)).as("noise of %d bytes", noise.length).withMessageStartingWith("source, ");
        }
        keep(migration);
      }
    }
  }

  private static void stepToTheEnd(Migration migration) throws IOException {
    for (int i = 0; i < 5000 && !migration.source.phase().isEnd(); i++) {
      migration.source.step();
      migration.pipe.far().read(ByteBuffer.allocate(1 << 16));
      if (i == 200) {
        migration.pipe.cut();
      }
    }
  }

  /** Takes so many bytes, and then nothing more; gives what there is. */
  private record Narrow(ByteChannel real, AtomicInteger left) implements ByteChannel {
    @Override
    public int read(ByteBuffer target) throws IOException {
      return real.read(target);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      ByteBuffer some = source.slice(source.position(), Math.min(left.get(), source.remaining()));
      int count = real.write(some);
      source.position(source.position() + count);
      left.addAndGet(-count);
      return count;
    }

    @Override
    public boolean isOpen() {
      return real.isOpen();
    }

    @Override
    public void close() throws IOException {
      real.close();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, StreamLayout.PREAMBLE, StreamLayout.PREAMBLE + StreamLayout.OVERHEAD - 1})
  void aSourceWhoseAnswerWasTakenOnlyInPartFindsInTheRecordThatTheGuestIsGone(int bytes) throws IOException {
    try (Migration migration = migration()) {
      keep(migration);
      migration.pipe = new MemoryPipe(3 * CONFIG.chunkBytes());
      migration.startAgain(2, migration.pipe.near(), new Narrow(migration.pipe.far(), new AtomicInteger(bytes)));
      migration.run();
      assertThat(migration.target.isAnswered()).isFalse();
      assertThat(migration.source.phase()).isEqualTo(Phase.DONE);
      assertThat(migration.source.cancel()).as("kept").isFalse();
      migration.drainAndVerify();
    }
  }

  @Test
  void aSourceThatHearsNothingWaitsForARecordThatCannotBeReached() throws IOException {
    try (Migration migration = migration()) {
      while (migration.target.phase() != Phase.PREPARED) {
        migration.step();
      }
      migration.store.failRead(1);
      for (int i = 0; i < 10_000 && !migration.store.hasFailed(); i++) {
        migration.source.step();
        migration.near.machine.timers().pause();
      }
      assertThat(migration.store.hasFailed()).as("the record was asked").isTrue();
      assertThat(migration.source.phase()).isEqualTo(Phase.UNRESOLVED);
      migration.run();
      assertThat(migration.source.phase()).isEqualTo(Phase.DONE);
      migration.drainAndVerify();
    }
  }

  @Test
  void whoTookTheGuestOverDoesNotTakeItTwice() throws IOException {
    try (Migration migration = migration()) {
      while (migration.target.phase() != Phase.COMMITTED) {
        migration.step();
      }
      Ownership taken = migration.store.read();
      migration.run();
      answer(migration, ChannelTags.RUNNING, 1);
      migration.source.step();
      migration.stepTarget();
      assertThat(migration.store.read()).isEqualTo(taken);
      migration.drainAndVerify();
    }
  }

  @Test
  void aSecondDestinationIsRefusedAndTheFirstGetsTheGuestWhole() throws IOException {
    for (Phase phase : List.of(Phase.NEW, Phase.PRE_COPY, Phase.STOP_COPY, Phase.UNRESOLVED)) {
      try (Migration migration = migration()) {
        stepSourceTo(migration, phase);
        ByteChannel another = new MemoryPipe(1000).near();
        refuses(() -> migration.newSource(2, another), Kind.FENCED, "cannot begin migration 2");
        while (migration.target.phase() != Phase.PREPARED) {
          migration.step();
        }
        assertThat(migration.far.guest.segment().mismatch(migration.near.guest.segment())).as("refused in %s, %s", phase, Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
        migration.run();
        migration.drainAndVerify();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"IOMMU, 4096", "DEVICE, 4096", "DEVICE, 1"})
  void aDeviceThatWritesFasterThanTheChannelSendsArrivesAllTheSame(WriteTracking tracking, int logEntries) {
    try (Migration migration = migration(ModelConfig.DEFAULT.withInternalPages(4).withLogEntries(logEntries), CONFIG.withDowntimeNanos(0).withTracking(tracking))) {
      migration.run();
      assertThat(migration.source.progress().dirtyPages()).as("pages written meanwhile").isPositive();
      assertThat(migration.source.progress().rounds()).as("rounds").isLessThanOrEqualTo(CONFIG.mostRounds() + 1);
      migration.drainAndVerify();
    }
  }

  @Test
  void migrationsThatAreCancelledAtAnyStepGoOnAtTheSource() throws IOException {
    boolean ended = false;
    for (int steps = 0; !ended; steps += 1 + steps / 5) {
      try (Migration migration = migration()) {
        for (int i = 0; i < steps && !migration.source.phase().isEnd(); i++) {
          migration.step();
        }
        ended = migration.source.phase().isEnd() || !migration.source.cancel();
        assertThat(migration.isRunningNear()).as("runs at the source after %d steps, %s", steps, Seeds.repeat(Seeds.SEED)).isEqualTo(!ended);
        if (!ended) {
          migration.drainAndVerify();
        }
      }
    }
  }

  @Test
  void migrationWhoseBeginningWasNotAnsweredBeginsOrChangesNothing() throws IOException {
    try (Migration migration = migration()) {
      keep(migration);
      migration.store.failChange(1, true);
      migration.startAgain(2);
      assertThat(migration.store.read().session()).isEqualTo(2);
      assertThat(migration.source.cancel()).as("kept").isTrue();
      Ownership kept = migration.store.read();
      migration.store.failChange(1, false);
      assertThatIOException().isThrownBy(() -> begin(migration, 3)).withMessage("the record could not be reached");
      assertThat(migration.store.read()).isEqualTo(kept);
      migration.startAgain(3);
      migration.run();
      migration.drainAndVerify();
    }
  }

  @Test
  void migrationThatBeganUnheardWithARecordOutOfReachIsTakenOutOfItByRecovery() throws IOException {
    try (Migration migration = migration()) {
      keep(migration);
      migration.store.failChange(1, true);
      migration.store.failRead(2);
      assertThatIOException()
          .isThrownBy(() -> begin(migration, 2))
          .withMessage("no answer from where the record is")
          .satisfies(e -> assertThat(e.getSuppressed()).singleElement().asString().contains("could not be read"));
      refuses(() -> begin(migration, 3), Kind.FENCED, "cannot begin migration 3");
      assertThat(Recovery.resumeInPlace(migration.near.guest, migration.near.devices, migration.store, migration.nearControl())).isTrue();
      migration.startAgain(3);
      migration.run();
      migration.drainAndVerify();
    }
  }

  @Test
  void cancellationThatWasNotAnsweredKeepsTheGuestAtOnce() throws IOException {
    try (Migration migration = migration()) {
      stepSourceTo(migration, Phase.STOP_COPY);
      migration.store.failChange(1, true);
      keep(migration);
    }
  }

  @Test
  void cancellationThatCameToNothingLeavesTheGuestWhereItWas() throws IOException {
    try (Migration migration = migration()) {
      stepSourceTo(migration, Phase.STOP_COPY);
      migration.store.failChange(1, false);
      assertThatIOException().isThrownBy(migration.source::cancel).withMessage("the record could not be reached");
      assertThat(migration.isRunningNear()).isFalse();
      keep(migration);
    }
  }

  private static void begin(Migration migration, long session) throws IOException {
    new MigrationSource(
        migration.near.guest, migration.near.devices, migration.pipe.near(), migration.store, migration.near.machine.timers(), migration.nearControl(), CONFIG, session, Checkpoint.NONE);
  }

  /** Opcode, result, and what the device says it is. */
  @ParameterizedTest
  @CsvSource({
    Opcode.TRACK_REPORT + ", 0, 5000, notes in a ring",
    Opcode.TRACK_REPORT + ", 0, -1, notes in a ring",
    Opcode.TRACK_REPORT + ", 1, 7, notes in a ring",
    Opcode.QUERY + ", 0, 9223372036854775807, bytes for its state",
    Opcode.QUERY + ", 0, -5, bytes for its state",
    Opcode.SAVE + ", 0, 100000000, bytes for its state",
    Opcode.SAVE + ", 0, 0, bytes for its state"
  })
  void devicesThatReportNonsenseAreFoundOutAndTheGuestStays(int opcode, int result, long lie, String message) throws IOException {
    try (Migration migration = migration(MODEL, CONFIG.withTracking(WriteTracking.DEVICE))) {
      migration.near.commands.lie(opcode, result, lie);
      refuses(migration::run, Kind.DEVICE, message);
      migration.near.commands.lie(0, 0, 0);
      keep(migration);
    }
  }

  /** Found out late it would cost the guest a downtime for nothing: the destination takes no such image. */
  @Test
  void aDeviceThatSavesMoreThanItSaidItEverWouldIsFoundOutAtTheSource() throws IOException {
    try (Migration migration = migration()) {
      migration.near.commands.lie(Opcode.SAVE, 0, migration.near.devices.getFirst().mostBytes() + 1);
      refuses(migration::run, Kind.DEVICE, "bytes for its state");
      migration.near.commands.lie(0, 0, 0);
      keep(migration);
    }
  }

  @Test
  void aDeviceThatNeverComesToTheEndOfItsNotesIsTakenToHaveWrittenEverything() {
    try (Migration migration = migration(MODEL, CONFIG.withTracking(WriteTracking.DEVICE))) {
      migration.near.commands.lie(Opcode.TRACK_REPORT, 1, Opcode.MORE);
      migration.run();
      assertThat(migration.source.progress().dirtyPages()).isGreaterThanOrEqualTo(CONFIG.mostRounds() * GUEST / GuestMemory.PAGE);
      migration.drainAndVerify();
    }
  }

  @Test
  void pagesThatWereCollectedWhenTheCheckpointFailedAreSentAllTheSame() throws IOException {
    try (Host near = new Host(Seeds.SEED, "normal", GUEST, 1, MODEL);
        Host far = new Host(Seeds.SEED + 1, "normal", GUEST, 1, MODEL)) {
      for (int nth = 1; nth < 12; nth++) {
        MemoryPipe pipe = new MemoryPipe(1 << 16);
        MemoryStore store = new MemoryStore();
        FullDisk disk = new FullDisk(Checkpoint.NONE);
        MigrationSource source = new MigrationSource(near.guest, near.devices, pipe.near(), store, near.machine.timers(), GuestControl.NONE, CONFIG, 1, disk);
        far.devices.forEach(MigratableDevice::reset);
        MigrationTarget target = new MigrationTarget(far.guest, far.devices, pipe.far(), pipe.far(), store, GuestControl.NONE, Spool.NONE);
        while (source.progress().remainingPages() == 0 || source.progress().remainingPages() == GUEST / GuestMemory.PAGE) {
          source.step();
        }
        // Written behind the first round, and never again.
        near.guest.setInt(0, nth);
        disk.failCall(nth);
        while (target.phase() != Phase.PREPARED) {
          try {
            source.step();
          } catch (MigrationException e) {
            assertThat(e.kind()).isEqualTo(Kind.STORAGE);
          }
          target.step();
        }
        assertThat(far.guest.segment().mismatch(near.guest.segment())).as("first byte that differs when call %d failed", nth).isEqualTo(-1);
        assertThat(source.cancel()).isTrue();
        refuses(target::step, Kind.FENCED, "the source kept the guest");
      }
    }
  }

  /** Stops and starts a guest, but for one of the calls, which fails. */
  private static final class FailingOnce implements GuestControl {
    private final GuestControl real;
    private final boolean atPause;
    private boolean failed;

    FailingOnce(GuestControl real, boolean atPause) {
      this.real = real;
      this.atPause = atPause;
    }

    private void fail() {
      if (!failed) {
        failed = true;
        throw new UnsupportedOperationException("the CPUs do not answer");
      }
    }

    @Override
    public void pause() {
      if (atPause) {
        fail();
      }
      real.pause();
    }

    @Override
    public void resume() {
      if (!atPause) {
        fail();
      }
      real.resume();
    }
  }

  private static MigrationSource controlledBy(Migration migration, GuestControl control) throws IOException {
    assertThat(migration.source.cancel()).isTrue();
    return new MigrationSource(
        migration.near.guest, migration.near.devices, migration.pipe.near(), migration.store, migration.near.machine.timers(), control, CONFIG, 2, Checkpoint.NONE);
  }

  @Test
  void aGuestThatCannotBeStoppedIsNotSentWithoutWhatItWroteLast() throws IOException {
    try (Migration migration = migration()) {
      migration.source = controlledBy(migration, new FailingOnce(migration.nearControl(), true));
      refuses(() -> stepToTheEnd(migration), Kind.DEVICE, "the CPUs do not answer; cancel()");
      refuses(migration.source::step, Kind.DEVICE, "source, PRE_COPY");
      keep(migration);
    }
  }

  @Test
  void aGuestThatIsKeptAndCannotBeStartedIsStartedByTheNextCancel() throws IOException {
    try (Migration migration = migration()) {
      migration.source = controlledBy(migration, new FailingOnce(migration.nearControl(), false));
      stepSourceTo(migration, Phase.STOP_COPY);
      assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(migration.source::cancel);
      assertThat(migration.isRunningNear()).isFalse();
      keep(migration);
    }
  }

  @Test
  void aGuestThatWasTakenOverAndCannotBeStartedIsStartedByTheNextStep() {
    try (Migration migration = migration()) {
      migration.target =
          new MigrationTarget(
              migration.far.guest,
              migration.far.devices,
              migration.pipe.far(),
              migration.pipe.far(),
              migration.store,
              new FailingOnce(migration.farControl(), false),
              Spool.NONE);
      assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(migration::run);
      assertThat(migration.target.phase()).isEqualTo(Phase.COMMITTED);
      migration.run();
      assertThat(migration.isRunningFar()).isTrue();
      migration.drainAndVerify();
    }
  }

  /** A clock's origin is anything: 0 is a time like any other. */
  @Test
  void guestThatIsStoppedAtTimeZeroStandsStillLikeAnyOther() throws IOException {
    try (Migration migration = migration()) {
      assertThat(migration.source.cancel()).isTrue();
      long[] now = {0};
      int[] pauses = {0};
      GuestControl control =
          new GuestControl() {
            @Override
            public void pause() {
              pauses[0]++;
            }

            @Override
            public void resume() {}
          };
      migration.source = new MigrationSource(migration.near.guest, migration.near.devices, migration.pipe.near(), migration.store, clock(now), control, CONFIG, 2, Checkpoint.NONE);
      while (!migration.source.phase().isEnd()) {
        migration.source.step();
        now[0] += pauses[0];
        migration.stepTarget();
      }
      assertThat(pauses[0]).isEqualTo(1);
      assertThat(migration.source.progress().stopCopyBytes()).isPositive();
      assertThat(migration.source.progress().downtimeNanos()).isPositive();
    }
  }

  private static Timers clock(long[] now) {
    return new Timers() {
      @Override
      public long nanoTime() {
        return now[0];
      }

      @Override
      public Timer schedule(long delayNanos, Runnable task) {
        throw new UnsupportedOperationException("nothing is scheduled by this clock");
      }

      @Override
      public void pause(int times) {
        throw new UnsupportedOperationException("nobody waits by this clock");
      }
    };
  }
}
