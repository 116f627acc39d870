package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Starts a guest again after a side of its migration was lost, on the one side that may run it.
 *
 * <pre>{@code
 * Verdict verdict = Recovery.assess(store, FileCheckpoint.open(checkpoint), null);
 * if (verdict.resumable().contains(Side.SOURCE)) {
 *   Recovery.resumeSource(guest, devices, FileCheckpoint.open(checkpoint), store, control, false);
 * }
 * }</pre>
 *
 * <p>The record is changed before anything runs, by compare-and-set from what was seen: of several that try one succeeds, and the other side of a migration under way is fenced off. Channels stay the caller's.
 */
public final class Recovery {
  private Recovery() {}

  /**
   * Say who may run the guest, and who could start it again from what was kept. Changes nothing.
   *
   * @param checkpoint what the source kept, null if nothing is to be had
   * @param spool what the destination kept, null if nothing is to be had
   * @throws IOException if the record cannot be reached, or what was kept cannot be read
   */
  public static Verdict assess(OwnershipStore store, @Nullable ReadableByteChannel checkpoint, @Nullable ReadableByteChannel spool) throws IOException {
    Ownership kept = checkpoint == null ? null : StoredGuest.inspect(checkpoint);
    Ownership received = spool == null ? null : StoredGuest.inspect(spool);
    Ownership now = store.read();
    return new Verdict(now, kept != null && isOf(now, kept), received != null && (now.isTakenIn(received.session()) || now.equals(received)));
  }

  /** As long as the source holds the guest, what it kept is not older than anything that another side did. */
  private static boolean isOf(Ownership now, Ownership kept) {
    return now.holder() == Side.SOURCE && Long.compareUnsigned(kept.epoch(), now.epoch()) <= 0;
  }

  /**
   * Run a guest where it is, after the process of its source was lost and memory and devices were not.
   *
   * @return true if the guest runs here; false if the destination holds it
   * @throws IOException if the record cannot be reached; nothing changed
   */
  public static boolean resumeInPlace(GuestMemory guest, List<MigratableDevice> devices, OwnershipStore store, GuestControl control) throws IOException {
    Ownership now = store.read();
    while (now.holder() == Side.SOURCE) {
      if (now.session() == 0 || store.compareAndSet(now, now.resumedBySource())) {
        new Closing().then(guest::stopLog).thenEach(devices, MigratableDevice::stopTracking).then(() -> GuestDevices.run(devices)).end();
        control.resume();
        return true;
      }
      now = store.read();
    }
    return false;
  }

  /**
   * Start a guest at its source from a checkpoint, after the source's machine was lost.
   *
   * @param guest memory of the same length, of the new machine
   * @param devices as many as there were, in the same order, with this memory assigned, running and without work
   * @param claim whether to decide for the source if a migration is under way
   * @throws MigrationException FENCED if the destination holds the guest, or somebody else changed the record meanwhile; UNRESOLVED if a migration is under way and {@code claim} is false; DATA if the checkpoint is
   *     not whole or of another record; DEVICE if a device refused its state. The guest does not run here then
   * @throws IOException if the record cannot be reached, or the checkpoint not be read. If the record was changed, try again
   */
  public static void resumeSource(
      GuestMemory guest, List<MigratableDevice> devices, ReadableByteChannel checkpoint, OwnershipStore store, GuestControl control, boolean claim) throws IOException {
    Ownership now = store.read();
    if (now.holder() == Side.DESTINATION) {
      throw new MigrationException(Kind.FENCED, "the source may not run the guest: the record says " + now + "; resume the destination");
    }
    requireDecision(now, claim, Side.SOURCE);
    start(guest, devices, checkpoint, control, loaded -> isOf(now, loaded) && store.compareAndSet(now, now.resumedBySource()), "source's checkpoint");
  }

  /**
   * Start a guest at its destination from a spool, after the destination's machine was lost.
   *
   * @param claim whether to decide for the destination if its migration is under way; only for a source that is lost, or that has sent everything
   * @throws MigrationException as {@link #resumeSource}; FENCED if the record does not name the migration of the spool
   * @throws IOException if the record cannot be reached, or the spool not be read. If the record was changed, try again
   */
  public static void resumeDestination(
      GuestMemory guest, List<MigratableDevice> devices, ReadableByteChannel spool, OwnershipStore store, GuestControl control, boolean claim) throws IOException {
    Ownership now = store.read();
    if (now.holder() == Side.SOURCE && now.session() == 0) {
      throw new MigrationException(Kind.FENCED, "the destination may not run the guest: the record says " + now + "; resume the source");
    }
    requireDecision(now, claim, Side.DESTINATION);
    start(guest, devices, spool, control, loaded -> (now.isTakenIn(loaded.session()) || now.equals(loaded)) && store.compareAndSet(now, now.resumedByDestination()), "destination's spool");
  }

  private static void requireDecision(Ownership now, boolean claim, Side side) {
    if (now.holder() == Side.SOURCE && now.session() != 0 && !claim) {
      throw new MigrationException(
          Kind.UNRESOLVED,
          "migration " + now.session() + " is not resolved (" + now + "): the " + side.text() + " is not started; wait for the side that lives, or claim the guest, which fences the other side off");
    }
  }

  /** Changes the record for what was loaded; false if the record does not allow it. */
  @FunctionalInterface
  private interface Claim {
    boolean take(Ownership loaded) throws IOException;
  }

  private static void start(GuestMemory guest, List<MigratableDevice> devices, ReadableByteChannel stored, GuestControl control, Claim claim, String what) throws IOException {
    GuestLoader loader;
    try (Attempt attempt = new Attempt(devices)) {
      loader = load(stored, guest, devices, what);
      attempt.taken = claim.take(loader.begun());
      if (!attempt.taken) {
        throw new MigrationException(Kind.FENCED, "the " + what + " is of " + loader.begun() + ", which the ownership record does not name any more; ask Recovery.assess who may run the guest");
      }
    }
    loader.run();
    control.resume();
  }

  private static GuestLoader load(ReadableByteChannel stored, GuestMemory guest, List<MigratableDevice> devices, String what) throws IOException {
    try {
      return StoredGuest.load(stored, guest, devices);
    } catch (RuntimeException e) {
      throw new MigrationException(kind(e), "the " + what + " starts no guest: " + e.getMessage(), e);
    }
  }

  /** Devices that forget what they were given unless the guest was taken. */
  private static final class Attempt implements AutoCloseable {
    private final List<MigratableDevice> devices;
    private boolean taken;

    Attempt(List<MigratableDevice> devices) {
      this.devices = devices;
    }

    @Override
    public void close() {
      if (!taken) {
        GuestDevices.reset(devices);
      }
    }
  }

  /** Tell a device that fails, which may do better the next time, from what was kept and is of no use. */
  private static Kind kind(RuntimeException failure) {
    boolean ofDevice = failure instanceof DmaMappingException || (failure instanceof MigrationException of && (of.kind() == Kind.DEVICE || of.kind() == Kind.GONE));
    return ofDevice ? Kind.DEVICE : Kind.DATA;
  }
}
