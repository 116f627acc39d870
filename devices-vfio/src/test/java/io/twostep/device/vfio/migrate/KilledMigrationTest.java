package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.device.vfio.stream.StreamException;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Migrations killed at random points: whatever died, the guest runs on exactly one side afterwards, the one that the record names, and has lost nothing. {@code -Dtwostep.kills=1000} for the long run.
 */
class KilledMigrationTest {
  private static final int KILLS = Integer.getInteger("twostep.kills", 54);
  private static final int SURVIVOR_STEPS = 400;
  private static final int[] FEATURES = {1, 3, 5, 7};

  /** What dies. */
  private enum Victim {
    NOBODY,
    SOURCE,
    DESTINATION,
    BOTH,
    CHANNEL,
    CANCELLED,
    DAMAGED,
    STORE_BEFORE,
    STORE_AFTER
  }

  @Test
  void whateverIsKilledAtMostOneSideRunsAndOneStaysRunnable() throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    Map<Victim, Integer> survivedNear = new EnumMap<>(Victim.class);
    Map<Victim, Integer> survivedFar = new EnumMap<>(Victim.class);
    for (int i = 0; i < KILLS; i++) {
      Victim victim = Victim.values()[i % Victim.values().length];
      long seed = random.nextLong();
      try {
        (kill(victim, seed) == Side.SOURCE ? survivedNear : survivedFar).merge(victim, 1, Integer::sum);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(victim + ", migration " + i + " of seed " + seed + ", " + Seeds.repeat(Seeds.SEED), e);
      }
    }
    assertThat(survivedNear.keySet()).as("kinds after which the source went on").contains(Victim.SOURCE, Victim.DESTINATION, Victim.CHANNEL, Victim.CANCELLED, Victim.DAMAGED);
    assertThat(survivedFar.keySet()).as("kinds after which the destination went on").contains(Victim.NOBODY);
  }

  private static Side kill(Victim victim, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    ModelConfig model =
        ModelConfig.DEFAULT.withPagesPerTurn(2).withInternalPages(4).withLogEntries(random.nextBoolean() ? 8 : 4096).withFeatures(MigrationFeatures.of(FEATURES[random.nextInt(4)]));
    MigrationConfig config = MigrationConfig.DEFAULT.withChunkBytes(8192).withDowntimeNanos(5000).withTracking(random.nextBoolean() ? WriteTracking.IOMMU : WriteTracking.DEVICE);
    try (Migration migration = new Migration(seed, 256 << 10, 1 + random.nextInt(2), model, config)) {
      if (victim == Victim.STORE_BEFORE || victim == Victim.STORE_AFTER) {
        migration.store.failChange(1, victim == Victim.STORE_AFTER);
      }
      runToRandomPoint(migration, random);
      Survivors alive = strike(victim, migration, random);
      alive.goOn(migration);
      Side side = alive.settle(migration);
      check(migration, side);
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
        return new Survivors(true, true);
      }
      case CANCELLED -> {
        migration.source.cancel();
        migration.pipe.cut();
        return new Survivors(true, true);
      }
      case DAMAGED -> {
        migration.pipe.damage(random.nextInt(8));
        return new Survivors(true, true);
      }
      case CHANNEL -> {
        migration.pipe.cut();
        return new Survivors(true, true);
      }
      case SOURCE -> {
        migration.pipe.cut();
        return new Survivors(false, true);
      }
      case DESTINATION -> {
        migration.pipe.cut();
        migration.loseFar(random.nextLong());
        return new Survivors(true, false);
      }
      default -> {
        migration.pipe.cut();
        migration.loseFar(random.nextLong());
        return new Survivors(false, false);
      }
    }
  }

  /** Who is left. */
  private record Survivors(boolean source, boolean target) {
    /** Who is left goes on until it can do no more. */
    void goOn(Migration migration) {
      boolean sourceFailed = !source;
      boolean targetFailed = !target;
      for (int i = 0; i < SURVIVOR_STEPS && !(sourceFailed && targetFailed); i++) {
        try {
          if (!targetFailed) {
            migration.stepTarget();
          }
        } catch (MigrationException | StreamException e) {
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

    /** Settle who has the guest, as an operator would: the source first, then what the destination left behind. */
    Side settle(Migration migration) throws IOException {
      if (source && !migration.source.phase().isEnd()) {
        cancelUntilItIsKnown(migration.source);
      } else if (!source && !migration.isRunningNear()) {
        MigrationSource.recover(migration.near.guest, migration.near.devices, migration.store, migration.nearControl());
      } else if (!source) {
        assertThat(MigrationSource.recover(migration.near.guest, migration.near.devices, migration.store, migration.nearControl())).as("a running source holds the guest").isTrue();
      }
      Side holder = migration.store.read().holder();
      if (!target) {
        boolean started =
            MigrationTarget.recover(migration.far.guest, migration.far.devices, migration.spool.afterCrash(), migration.store, migration.farControl(), false);
        assertThat(started).as("the spool starts the guest").isEqualTo(holder == Side.DESTINATION);
        if (started) {
          migration.follow();
        }
      }
      return holder;
    }
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
