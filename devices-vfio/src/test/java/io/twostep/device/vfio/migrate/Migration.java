package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.guest.GuestWorkload;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** A guest whose devices work all the time, two machines and what connects them, run step by step by one seed. */
final class Migration implements AutoCloseable {
  static final long GUEST = 1 << 20;

  Host near;
  Host far;
  MemoryPipe pipe;
  final Kept kept;
  final FlakyStore store;
  FullDisk checkpoint;
  FullDisk spool;
  final List<GuestWorkload> workloads = new ArrayList<>();
  final MigrationConfig config;
  private final ModelConfig model;
  MigrationTarget target;
  final SplittableRandom random;
  MigrationSource source;
  private @Nullable Moment first;
  private @Nullable Moment stopped;
  private final Cpus nearCpus =
      new Cpus() {
        @Override
        public void pause() {
          super.pause();
          stopped = new Moment(workloads);
        }

        @Override
        public void resume() {
          super.resume();
          if (stopped != null) {
            stopped.capture(near);
          }
        }
      };
  private final Cpus farCpus = new Cpus();
  private boolean farRan;
  private boolean following;
  private long submitted;

  /** The migration whose checkpoint the source was started again from; 0 for the one before it, -1 for none. */
  long resumedSession = -1;

  /** What runs the guest's CPUs on one side. */
  private static class Cpus implements GuestControl {
    boolean running;

    @Override
    public void pause() {
      running = false;
    }

    @Override
    public void resume() {
      running = true;
    }
  }

  Migration(long seed, int devices, ModelConfig model, MigrationConfig config) {
    this(seed, GUEST, devices, model, config);
  }

  Migration(long seed, long guestBytes, int devices, ModelConfig model, MigrationConfig config) {
    this(seed, guestBytes, devices, model, config, new Kept.InMemory(), false);
  }

  /** With {@code keepFirst} the source keeps its guest once before it begins. */
  Migration(long seed, long guestBytes, int devices, ModelConfig model, MigrationConfig config, Kept kept, boolean keepFirst) {
    random = new SplittableRandom(seed);
    this.config = config;
    this.model = model;
    this.kept = kept;
    store = new FlakyStore(kept.store());
    near = new Host(seed, "adversarial", guestBytes, devices, model);
    far = new Host(seed + 1, "adversarial", guestBytes, devices, model);
    pipe = new MemoryPipe(3 * config.chunkBytes());
    long part = guestBytes / devices & -4096;
    for (int i = 0; i < devices; i++) {
      workloads.add(new GuestWorkload(near.guest, near.devices.get(i).guestRegisters(), i * part, part, seed + i));
    }
    nearCpus.running = true;
    if (keepFirst) {
      keepFirst();
    }
    source = newSource(1);
    target = newTarget(pipe.far());
  }

  private void keepFirst() {
    for (int i = random.nextInt(30); i > 0; i--) {
      live();
    }
    try {
      CheckpointWriter.write(near.guest, near.devices, store, nearCpus, kept.newCheckpoint());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    first = stopped;
  }

  MigrationSource newSource(long session) {
    return newSource(session, pipe.near());
  }

  MigrationSource newSource(long session, ByteChannel channel) {
    checkpoint = new FullDisk(kept.newCheckpoint());
    try {
      return new MigrationSource(near.guest, near.devices, channel, store, near.machine.timers(), nearCpus, config, session, checkpoint);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private MigrationTarget newTarget(ByteChannel channel) {
    spool = new FullDisk(kept.newSpool());
    return new MigrationTarget(far.guest, far.devices, channel, channel, store, farCpus, spool);
  }

  /** After a migration was cancelled: another channel, the destination as new, another session. */
  void startAgain(long session) {
    pipe = new MemoryPipe(3 * config.chunkBytes());
    startAgain(session, pipe.near(), pipe.far());
  }

  /** After a migration was cancelled: over some channel. */
  void startAgain(long session, ByteChannel nearEnd, ByteChannel farEnd) {
    far.devices.forEach(MigratableDevice::reset);
    source = newSource(session, nearEnd);
    target = newTarget(farEnd);
  }

  /** Let the guest and the machines go on for a moment, and see that only one of them does the guest's work. */
  void live() {
    long nearPieces = near.pieces();
    long farPieces = far.pieces();
    near.machine.timers().pause();
    far.machine.timers().pause();
    boolean nearWorked = near.pieces() != nearPieces;
    boolean farWorked = far.pieces() != farPieces;
    assertThat(nearWorked && farWorked).as("both sides run").isFalse();
    assertThat(farRan && nearWorked).as("the source runs after the destination did").isFalse();
    assertThat(nearCpus.running && farCpus.running).as("both sides' CPUs run").isFalse();
    farRan |= farWorked;
    if (nearCpus.running || (farCpus.running && following)) {
      submitted += 10_000;
      workloads.forEach(workload -> workload.work(submitted));
    }
  }

  /** The destination runs the guest: its CPUs are there from now on. */
  void follow() {
    following = true;
    for (int i = 0; i < workloads.size(); i++) {
      workloads.get(i).move(far.guest, far.devices.get(i).guestRegisters());
    }
  }

  /** Do a step of each side in some order; failures end that side. */
  void step() {
    boolean targetFirst = random.nextBoolean();
    if (targetFirst) {
      stepTarget();
    }
    source.step();
    if (!targetFirst) {
      stepTarget();
    }
    live();
  }

  void stepTarget() {
    boolean ranBefore = farCpus.running;
    target.step();
    if (farCpus.running && !ranBefore) {
      follow();
    }
  }

  void stepTargetToItsEnd() {
    while (!target.phase().isEnd()) {
      stepTarget();
    }
  }

  void run() {
    for (int i = 0; !(source.phase().isEnd() && target.phase().isEnd()); i++) {
      assertThat(i).as("steps").isLessThan(100_000);
      step();
    }
  }

  /** The destination's machine is lost, with everything in it and all that the guest did there; another one takes its place. */
  void loseFar(long seed) {
    if (farCpus.running) {
      returnTo(Objects.requireNonNull(stopped, "a guest that runs at the destination stood still before"));
      farRan = false;
    }
    long guestBytes = far.guest.length();
    far.close();
    farCpus.running = false;
    following = false;
    far = new Host(seed, "adversarial", guestBytes, near.devices.size(), model);
  }

  private void returnTo(Moment moment) {
    workloads.clear();
    workloads.addAll(moment.workloads);
  }

  /** The source's machine is lost, with everything in it; another one takes its place. */
  void loseNear(long seed) {
    if (!nearCpus.running && stopped != null) {
      stopped.capture(near);
    }
    long guestBytes = near.guest.length();
    int devices = near.devices.size();
    near.close();
    nearCpus.running = false;
    near = new Host(seed, "adversarial", guestBytes, devices, model);
  }

  /** Start the guest again at the source from what that kept, and see that it is what was kept. */
  void resumeNear(boolean claim) throws IOException {
    ReadableByteChannel checkpoint = Objects.requireNonNull(kept.checkpoint(), "the source kept nothing");
    Recovery.resumeSource(near.guest, near.devices, checkpoint, store, nearCpus, claim);
    Ownership begun = Objects.requireNonNull(StoredGuest.inspect(Objects.requireNonNull(kept.checkpoint())));
    resumedSession = begun.session();
    Moment moment = Objects.requireNonNull(resumedSession == 0 ? first : stopped);
    moment.requireEqual(near, Seeds.repeat(Seeds.SEED));
    returnTo(moment);
    for (int i = 0; i < workloads.size(); i++) {
      workloads.get(i).move(near.guest, near.devices.get(i).guestRegisters());
    }
  }

  /** Start the guest again at the destination from what that received. */
  void resumeFar(boolean claim) throws IOException {
    Recovery.resumeDestination(far.guest, far.devices, Objects.requireNonNull(kept.spool()), store, farCpus, claim);
    follow();
  }

  boolean isRunningNear() {
    return nearCpus.running;
  }

  boolean isRunningFar() {
    return farCpus.running;
  }

  GuestControl nearControl() {
    return nearCpus;
  }

  GuestControl farControl() {
    return farCpus;
  }

  /** Let everything that is under way finish, and compare every page. */
  void drainAndVerify() {
    for (int i = 0; i < 50; i++) {
      live();
    }
    for (GuestWorkload workload : workloads) {
      for (int i = 0; workload.drain(); i++) {
        assertThat(i).as("pauses until all commands are done").isLessThan(100_000);
        near.machine.timers().pause();
        far.machine.timers().pause();
      }
      assertThat(workload.mistakes()).as("pages that are wrong").isZero();
      assertThat(workload.completed()).isPositive();
    }
  }

  /** Run until it fails by itself or ends. */
  RuntimeException runUntilFailure() {
    try {
      run();
      throw new AssertionError("nothing failed");
    } catch (MigrationException e) {
      return e;
    }
  }

  @Override
  public void close() {
    near.close();
    far.close();
  }
}
