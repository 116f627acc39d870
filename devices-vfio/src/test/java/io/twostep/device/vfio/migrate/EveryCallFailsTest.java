package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.dma.DmaMappingException;
import io.twostep.machine.model.FailNth;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Whole migrations in which one call fails, on either side, each in its turn: the guest goes on where the record says, nothing is lost or held, and what was thrown says where it happened and what to do.
 *
 * <p>{@code -Dtwostep.everyCall=true} leaves none out; else of the first few each, of the others some.
 */
class EveryCallFailsTest {
  private static final boolean EVERY_CALL = Boolean.getBoolean("twostep.everyCall");
  private static final int ALWAYS = 4;
  private static final int ATTEMPTS = 3;
  private static final int STEPS = 5000;
  private static final long GUEST = 128 << 10;

  /** What can fail. */
  private enum Call {
    SOURCE_ALLOCATES,
    SOURCE_PUBLISHES,
    SOURCE_INVALIDATES,
    SOURCE_READS_A_REGISTER,
    SOURCE_COMMANDS_A_DEVICE,
    SOURCE_READS_THE_CHANNEL,
    SOURCE_WRITES_THE_CHANNEL,
    SOURCE_WRITES_ITS_CHECKPOINT,
    DESTINATION_ALLOCATES,
    DESTINATION_PUBLISHES,
    DESTINATION_READS_A_REGISTER,
    DESTINATION_COMMANDS_A_DEVICE,
    DESTINATION_READS_THE_CHANNEL,
    DESTINATION_WRITES_THE_CHANNEL,
    DESTINATION_WRITES_ITS_SPOOL,
    DESTINATION_DEVICE_READS_MEMORY,
    RECORD_IS_READ,
    RECORD_IS_CHANGED_NOT,
    RECORD_IS_CHANGED_UNHEARD
  }

  @ParameterizedTest
  @EnumSource
  void whicheverCallFailsTheGuestGoesOnAndNothingIsHeld(Call call) throws IOException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    int failures = 0;
    boolean fired = true;
    for (int nth = 1; fired; nth += EVERY_CALL || nth <= ALWAYS ? 1 : 1 + random.nextInt(nth)) {
      try {
        fired = fail(call, nth, random.nextInt(1 << 30));
        failures += fired ? 1 : 0;
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(call + ", number " + nth + ", " + Seeds.repeat(Seeds.SEED), e);
      }
    }
    assertThat(failures).as("calls that failed").isPositive();
  }

  private static boolean fail(Call call, int nth, long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    MigrationFeatures features = MigrationFeatures.of(new int[] {1, 3, 5, 7}[random.nextInt(4)]);
    ModelConfig model = ModelConfig.DEFAULT.withPagesPerTurn(2).withInternalPages(4).withFeatures(features);
    MigrationConfig config = MigrationConfig.DEFAULT.withChunkBytes(8192).withDowntimeNanos(5000).withTracking(random.nextBoolean() ? WriteTracking.IOMMU : WriteTracking.DEVICE);
    try (Migration migration = new Migration(seed, GUEST, 1, model, config)) {
      arm(migration, call, nth);
      List<MigrationException> thrown = new ArrayList<>();
      run(migration, thrown);
      boolean fired = hasFired(migration, call);
      disarm(migration);
      settle(migration, thrown);
      check(migration, thrown);
      return fired;
    }
  }

  private static void arm(Migration migration, Call call, int nth) {
    FailNth near = migration.near.machine.failNth();
    FailNth far = migration.far.machine.failNth();
    switch (call) {
      case SOURCE_ALLOCATES -> near.arm(FailNth.Kind.ALLOCATE, nth);
      case SOURCE_PUBLISHES -> near.arm(FailNth.Kind.PUBLISH, nth);
      case SOURCE_INVALIDATES -> near.arm(FailNth.Kind.INVALIDATE, nth);
      case SOURCE_READS_A_REGISTER -> near.arm(FailNth.Kind.MMIO_READ, nth);
      case SOURCE_COMMANDS_A_DEVICE -> migration.near.commands.arm(nth);
      case SOURCE_READS_THE_CHANNEL -> migration.pipe.fail(false, false, nth);
      case SOURCE_WRITES_THE_CHANNEL -> migration.pipe.fail(false, true, nth);
      case SOURCE_WRITES_ITS_CHECKPOINT -> migration.checkpoint.failCall(nth);
      case DESTINATION_ALLOCATES -> far.arm(FailNth.Kind.ALLOCATE, nth);
      case DESTINATION_PUBLISHES -> far.arm(FailNth.Kind.PUBLISH, nth);
      case DESTINATION_READS_A_REGISTER -> far.arm(FailNth.Kind.MMIO_READ, nth);
      case DESTINATION_COMMANDS_A_DEVICE -> migration.far.commands.arm(nth);
      case DESTINATION_READS_THE_CHANNEL -> migration.pipe.fail(true, false, nth);
      case DESTINATION_WRITES_THE_CHANNEL -> migration.pipe.fail(true, true, nth);
      case DESTINATION_WRITES_ITS_SPOOL -> migration.spool.failCall(nth);
      case DESTINATION_DEVICE_READS_MEMORY -> far.arm(FailNth.Kind.BUS_READ, nth);
      case RECORD_IS_READ -> migration.store.failRead(nth);
      case RECORD_IS_CHANGED_NOT -> migration.store.failChange(nth, false);
      case RECORD_IS_CHANGED_UNHEARD -> migration.store.failChange(nth, true);
    }
  }

  private static boolean hasFired(Migration migration, Call call) {
    return switch (call) {
      case SOURCE_ALLOCATES, SOURCE_PUBLISHES, SOURCE_INVALIDATES, SOURCE_READS_A_REGISTER -> migration.near.machine.failNth().fired();
      case SOURCE_COMMANDS_A_DEVICE -> migration.near.commands.fired();
      case DESTINATION_ALLOCATES, DESTINATION_PUBLISHES, DESTINATION_READS_A_REGISTER, DESTINATION_DEVICE_READS_MEMORY ->
          migration.far.machine.failNth().fired();
      case DESTINATION_COMMANDS_A_DEVICE -> migration.far.commands.fired();
      case SOURCE_READS_THE_CHANNEL, SOURCE_WRITES_THE_CHANNEL, DESTINATION_READS_THE_CHANNEL, DESTINATION_WRITES_THE_CHANNEL -> migration.pipe.hasFailed();
      case SOURCE_WRITES_ITS_CHECKPOINT -> migration.checkpoint.hasFailed();
      case DESTINATION_WRITES_ITS_SPOOL -> migration.spool.hasFailed();
      case RECORD_IS_READ, RECORD_IS_CHANGED_NOT, RECORD_IS_CHANGED_UNHEARD -> migration.store.hasFailed();
    };
  }

  private static void disarm(Migration migration) {
    for (Host host : List.of(migration.near, migration.far)) {
      host.machine.failNth().disarm();
      host.commands.arm(0);
    }
    migration.store.failRead(0);
    migration.store.failChange(0, false);
  }

  /** Step both sides until they end or can do no more; what says that it may be tried again is. */
  private static void run(Migration migration, List<MigrationException> thrown) {
    boolean sourceFailed = false;
    for (int i = 0; i < STEPS && !(migration.target.phase().isEnd() && (sourceFailed || migration.source.phase().isEnd())); i++) {
      try {
        migration.stepTarget();
      } catch (MigrationException e) {
        thrown.add(e);
      }
      if (migration.isRunningFar()) {
        // What the guest reads by itself is its own affair.
        migration.far.machine.failNth().disarm();
      }
      try {
        if (!sourceFailed) {
          migration.source.step();
        }
      } catch (MigrationException e) {
        thrown.add(e);
        sourceFailed = e.kind() != MigrationException.Kind.STORAGE;
        if (sourceFailed) {
          migration.pipe.cut();
        }
      }
      migration.live();
    }
    assertThat(migration.target.phase().isEnd()).as("the destination ended, after %s", thrown).isTrue();
  }

  private static void settle(Migration migration, List<MigrationException> thrown) throws IOException {
    for (int attempt = 1; !migration.source.phase().isEnd(); attempt++) {
      try {
        migration.source.cancel();
      } catch (MigrationException | DmaMappingException e) {
        assertThat(attempt).as("attempts to cancel, after %s", thrown).isLessThan(ATTEMPTS);
      }
    }
  }

  private static void check(Migration migration, List<MigrationException> thrown) throws IOException {
    for (MigrationException e : thrown) {
      assertThat(e.getMessage()).as("the side, the phase, what failed and what to do").matches("(source|destination), [A-Z_]+[^:]*: .+; .*(cancel|step again|resume).*");
    }
    Side side = migration.store.read().holder();
    assertThat(migration.isRunningNear()).as("runs at the source, after %s", thrown).isEqualTo(side == Side.SOURCE);
    assertThat(migration.isRunningFar()).as("runs at the destination, after %s", thrown).isEqualTo(side == Side.DESTINATION);
    migration.drainAndVerify();
    for (Host host : List.of(migration.near, migration.far)) {
      for (MigratableDevice device : host.devices) {
        assertThat(device.mapper().releaseQuarantined()).as("quarantined").isZero();
      }
    }
  }
}
