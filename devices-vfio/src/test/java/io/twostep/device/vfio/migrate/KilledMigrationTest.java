package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.migrate.Verdict.Answer;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.MigrationFeatures;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Migrations killed at random points: whatever died, the guest runs on exactly one side afterwards, the one that the record names, and has lost nothing. {@code -Dtwostep.kills=1000} for the long run.
 */
class KilledMigrationTest {
  private static final int KILLS = Integer.getInteger("twostep.kills", 44);

  /** So many more that one in a billion runs sees none end as one in four does. */
  private static final int MORE_KILLS = 72;

  private static final int SURVIVOR_STEPS = 400;
  private static final int[] FEATURES = {1, 3, 5, 7};

  /** What dies. */
  private enum Victim {
    NOBODY,
    SOURCE,
    SOURCE_MACHINE,
    DESTINATION,
    BOTH,
    BOTH_MACHINES,
    CHANNEL,
    CANCELLED,
    DAMAGED,
    STORE_BEFORE,
    STORE_AFTER
  }

  private static final Set<Victim> SOURCE_MAY_GO_ON =
      EnumSet.of(Victim.SOURCE, Victim.SOURCE_MACHINE, Victim.BOTH_MACHINES, Victim.DESTINATION, Victim.CHANNEL, Victim.CANCELLED, Victim.DAMAGED);

  @TempDir Path work;

  private final Set<Victim> wentOnNear = EnumSet.noneOf(Victim.class);
  private final Set<Victim> wentOnFar = EnumSet.noneOf(Victim.class);
  private int kills;

  /** Sources started again, by whether they had sent everything. */
  private final int[] resumed = new int[2];

  @Test
  void whateverIsKilledAtMostOneSideRunsAndOneStaysRunnable() throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    for (int i = 0; i < KILLS; i++) {
      killOne(Victim.values()[i % Victim.values().length], random);
    }
    // Few kills may all have struck late, or early: then some more tell whether the other end can be seen at all.
    for (Victim victim : SOURCE_MAY_GO_ON) {
      killUntil(wentOnNear, victim, random);
    }
    killUntil(wentOnFar, Victim.NOBODY, random);
    assertThat(wentOnNear).as("kinds after which the source went on").containsAll(SOURCE_MAY_GO_ON);
    assertThat(wentOnFar).as("kinds after which the destination went on").contains(Victim.NOBODY);
    if (KILLS >= 500) {
      assertThat(resumed).as("sources started again from what they kept before the migration, and at its end").doesNotContain(0);
    }
  }

  private void killUntil(Set<Victim> wentOn, Victim victim, SplittableRandom random) throws IOException {
    for (int i = 0; i < MORE_KILLS && !wentOn.contains(victim); i++) {
      killOne(victim, random);
    }
  }

  private void killOne(Victim victim, SplittableRandom random) throws IOException {
    long seed = random.nextLong();
    int number = kills++;
    try {
      (kill(victim, seed, work.resolve("kill" + number)) == Side.SOURCE ? wentOnNear : wentOnFar).add(victim);
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError(victim + ", migration " + number + " of seed " + seed + ", " + Seeds.repeat(Seeds.SEED), e);
    }
  }

  private Side kill(Victim victim, long seed, Path folder) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    ModelConfig model =
        ModelConfig.DEFAULT.withPagesPerTurn(2).withInternalPages(4).withLogEntries(random.nextBoolean() ? 8 : 4096).withFeatures(MigrationFeatures.of(FEATURES[random.nextInt(4)]));
    MigrationConfig config = MigrationConfig.DEFAULT.withChunkBytes(8192).withDowntimeNanos(5000).withTracking(random.nextBoolean() ? WriteTracking.IOMMU : WriteTracking.DEVICE);
    try (Kept.InFiles files = new Kept.InFiles(folder);
        Migration migration = new Migration(seed, 256 << 10, 1 + random.nextInt(2), model, config, random.nextBoolean() ? files : new Kept.InMemory(), true)) {
      if (victim == Victim.STORE_BEFORE || victim == Victim.STORE_AFTER) {
        migration.store.failChange(1, victim == Victim.STORE_AFTER);
      }
      runToRandomPoint(migration, random);
      Survivors alive = strike(victim, migration, random);
      alive.goOn(migration);
      Side side = alive.settle(migration, random);
      check(migration, side);
      if (migration.resumedSession >= 0) {
        resumed[(int) migration.resumedSession]++;
      }
      return side;
    }
  }

  /** Some steps, or as far as a phase: the interesting ones are short. */
  private static void runToRandomPoint(Migration migration, SplittableRandom random) {
    int steps = random.nextInt(90);
    Phase phase = Phase.values()[random.nextInt(Phase.DONE.compareTo(Phase.NEW) + 1)];
    boolean byPhase = random.nextBoolean();
    boolean ofTarget = random.nextBoolean();
    for (int i = 0; i < (byPhase ? 2000 : steps); i++) {
      Phase now = ofTarget ? migration.target.phase() : migration.source.phase();
      if ((byPhase && now.compareTo(phase) >= 0) || (migration.source.phase().isEnd() && migration.target.phase().isEnd())) {
        break;
      }
      try {
        migration.step();
      } catch (MigrationException e) {
        break;
      }
    }
    for (int extra = random.nextInt(3); extra > 0 && byPhase; extra--) {
      migration.live();
    }
  }

  private static Survivors strike(Victim victim, Migration migration, SplittableRandom random) throws IOException {
    switch (victim) {
      case NOBODY, STORE_BEFORE, STORE_AFTER -> {
        return Survivors.ALL;
      }
      case CANCELLED -> {
        migration.source.cancel();
        migration.pipe.cut();
        return Survivors.ALL;
      }
      case DAMAGED -> {
        migration.pipe.damage(random.nextInt(8));
        return Survivors.ALL;
      }
      default -> migration.pipe.cut();
    }
    boolean far = victim == Victim.DESTINATION || victim == Victim.BOTH || victim == Victim.BOTH_MACHINES;
    boolean machine = victim == Victim.SOURCE_MACHINE || victim == Victim.BOTH_MACHINES;
    if (far) {
      migration.loseFar(random.nextLong());
    }
    if (machine) {
      migration.loseNear(random.nextLong());
    }
    return new Survivors(!machine && victim != Victim.SOURCE && victim != Victim.BOTH, machine, !far);
  }

  /** Who is left: the process of the source, its machine, the destination. */
  private record Survivors(boolean source, boolean machineLost, boolean target) {
    static final Survivors ALL = new Survivors(true, false, true);

    /** Who is left goes on until it can do no more. */
    void goOn(Migration migration) {
      boolean sourceFailed = !source;
      boolean targetFailed = !target;
      for (int i = 0; i < SURVIVOR_STEPS && !(sourceFailed && targetFailed); i++) {
        try {
          if (!targetFailed) {
            migration.stepTarget();
          }
        } catch (MigrationException e) {
          targetFailed = migration.target.phase().isEnd();
        }
        try {
          if (!sourceFailed) {
            migration.source.step();
          }
        } catch (MigrationException e) {
          sourceFailed = true;
        }
        migration.live();
      }
    }

    /** Settle who has the guest, as an operator would. */
    Side settle(Migration migration, SplittableRandom random) throws IOException {
      if (source && !migration.source.phase().isEnd()) {
        cancelUntilItIsKnown(migration.source);
      } else if (machineLost) {
        return startFromWhatWasKept(migration, random);
      } else if (!source) {
        boolean here = Recovery.resumeInPlace(migration.near.guest, migration.near.devices, migration.store, migration.nearControl());
        assertThat(here || !migration.isRunningNear()).as("a running source holds the guest").isTrue();
      }
      Side holder = migration.store.read().holder();
      if (!target && holder == Side.DESTINATION) {
        migration.resumeFar(false);
      } else if (!target) {
        refuses(() -> migration.resumeFar(random.nextBoolean()), Kind.FENCED);
      }
      return holder;
    }

    /** The source's machine is gone: what was kept says which side may go on, and that side does. */
    private Side startFromWhatWasKept(Migration migration, SplittableRandom random) throws IOException {
      Verdict verdict = Recovery.assess(migration.store, migration.kept.checkpoint(), migration.kept.spool());
      Set<Side> resumable = verdict.resumable();
      if (verdict.answer() == Answer.DESTINATION) {
        refuses(() -> migration.resumeNear(true), Kind.FENCED);
        if (!target) {
          assertThat(resumable).as("%s", verdict.explain()).containsExactly(Side.DESTINATION);
          migration.resumeFar(false);
        }
        return Side.DESTINATION;
      }
      assertThat(resumable).as("%s", verdict.explain()).contains(Side.SOURCE);
      boolean unresolved = verdict.answer() == Answer.UNRESOLVED;
      if (unresolved) {
        refuses(() -> migration.resumeNear(false), Kind.UNRESOLVED);
      }
      if (!target && resumable.contains(Side.DESTINATION) && random.nextBoolean()) {
        refuses(() -> migration.resumeFar(false), Kind.UNRESOLVED);
        migration.resumeFar(true);
        refuses(() -> migration.resumeNear(true), Kind.FENCED);
        return Side.DESTINATION;
      }
      boolean all = migration.target.phase() == Phase.PREPARED || verdict.spoolWhole();
      migration.resumeNear(unresolved);
      assertThat(migration.resumedSession).as("session of the checkpoint, when the destination had everything: %s", all).isBetween(all ? 1L : 0L, 1L);
      if (!target) {
        refuses(() -> migration.resumeFar(true), Kind.FENCED);
      }
      return Side.SOURCE;
    }
  }

  private static void refuses(ThrowingCallable start, Kind kind) {
    assertThatExceptionOfType(MigrationException.class).isThrownBy(start).extracting(MigrationException::kind).isEqualTo(kind);
  }

  /** A record that could not be reached is asked again; the answer may have been lost after the change. */
  private static void cancelUntilItIsKnown(MigrationSource source) throws IOException {
    try {
      source.cancel();
    } catch (IOException e) {
      source.cancel();
    }
  }

  private static void check(Migration migration, Side side) {
    assertThat(migration.isRunningNear()).as("runs at the source").isEqualTo(side == Side.SOURCE);
    assertThat(migration.isRunningFar()).as("runs at the destination").isEqualTo(side == Side.DESTINATION);
    long before = side == Side.SOURCE ? migration.near.pieces() : migration.far.pieces();
    migration.drainAndVerify();
    assertThat(side == Side.SOURCE ? migration.near.pieces() : migration.far.pieces()).as("work done afterwards").isGreaterThan(before);
  }
}
