package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.dirty.DirtySource;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.device.vfio.stream.StreamLayout;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.nio.channels.SelectableChannel;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sends a guest that runs: its memory in rounds, each what was written during the one before, then, with the guest standing still, the rest and the state of its devices.
 *
 * <pre>{@code
 * MigrationSource source = new MigrationSource(guest, devices, channel, ownership, timers, control, MigrationConfig.DEFAULT, session, Checkpoint.NONE);
 * while (!source.phase().isEnd()) {
 *   source.step();                  // does not wait
 *   runTheGuestForAWhile();
 * }
 * }</pre>
 *
 * <p>The source stops the guest before the end of the stream is sent, and lets it run again only after it has changed the {@link Ownership} record; the destination runs it only after it has changed it.
 * One of the two changes succeeds. A source that has sent everything and hears nothing asks the record now and then whether the guest is gone. Whatever fails, {@link #cancel} settles it, and may be repeated.
 * The channel stays the caller's; reading from it must not wait. Used by the thread that uses the devices.
 */
public final class MigrationSource {
  private static final int RECORDS_STAGED = 4;

  /** How often the record is asked by a source that has sent everything. */
  private static final long ASK_NANOS = 100_000_000;

  private final GuestMemory guest;
  private final List<MigratableDevice> all;
  private final List<SourceDevice> devices = new ArrayList<>();
  private final List<DirtySource> writes = new ArrayList<>();
  private final ByteChannel channel;
  private final OwnershipStore store;
  private final Timers timers;
  private final GuestControl control;
  private final MigrationConfig config;
  private final Ownership held;
  private final ChannelWriter out;
  private final Replies replies;
  private final GuestSender sender;
  private DirtyBitmap current;
  private DirtyBitmap next;
  private Phase phase = Phase.NEW;
  private int rounds;
  private long roundStart;
  private long roundBytes;
  private long deviceBytes;
  private long precopyBytes;
  private long dirtyPages;
  private boolean stopped;
  private long stoppedAt;
  private long downtime;
  private long lastAsked;
  private @Nullable MigrationException failure;

  /**
   * Begin a migration: from now on the destination of {@code session} may take over once it has everything.
   *
   * @param session names this migration; not 0, and not that of another one
   * @param checkpoint where the guest is kept in case that the source's machine is lost: all of it before the destination can have all of it. {@link Checkpoint#NONE} to do without. Stays the caller's
   * @param channel to the destination and back; takes and gives what it can and never waits, so that a destination with nothing to say does not stop the source
   * @throws MigrationException REFUSED if the channel is a blocking one, if what devices write cannot be told, or they write to each other and cannot be quiesced one after the other; FENCED if the source does not hold the guest, or another
   *     migration is under way: cancel that first. Nothing changed then
   * @throws IOException if the record cannot be reached. Nothing changed then, unless a change is not answered and the record cannot be read afterwards: should it name this migration when it can be read again,
   *     {@link Recovery#resumeInPlace} takes that out
   */
  public MigrationSource(
      GuestMemory guest,
      List<MigratableDevice> devices,
      ByteChannel channel,
      OwnershipStore store,
      Timers timers,
      GuestControl control,
      MigrationConfig config,
      long session,
      Checkpoint checkpoint)
      throws IOException {
    if (channel instanceof SelectableChannel selectable && selectable.isBlocking()) {
      throw new MigrationException(Kind.REFUSED, "cannot begin migration " + session + ": the channel would wait for answers that come only at the end; call configureBlocking(false)");
    }
    this.guest = guest;
    all = List.copyOf(devices);
    this.channel = channel;
    this.store = store;
    this.timers = timers;
    this.control = control;
    this.config = config;
    Ownership before = store.read();
    if (before.holder() != Side.SOURCE || before.session() != 0 || session == 0) {
      throw new MigrationException(Kind.FENCED, "cannot begin migration " + session + ": the record says " + before);
    }
    for (MigratableDevice device : devices) {
      if (config.peers() && !device.features().peerToPeer()) {
        throw new MigrationException(Kind.REFUSED, device.name() + ": writes to its peers and cannot stop that before it stops answering them; it has no P2P states");
      }
      this.devices.add(new SourceDevice(device, this.devices.size()));
      writes.add(device.newDirtySource(config.tracking(), writes));
    }
    held = before.begun(session);
    out = new ChannelWriter(channel, held, StreamLayout.MAX_PREAMBLE + RECORDS_STAGED * GuestSender.mostRecordBytes(config.chunkBytes()), checkpoint);
    sender = new GuestSender(guest, this.devices, out, config.chunkBytes());
    replies = new Replies(session);
    current = guest.newBitmap();
    next = guest.newBitmap();
    if (!change(before, held)) {
      throw new MigrationException(Kind.FENCED, "cannot begin migration " + session + ": another one began at the same time");
    }
  }

  /** Change the record; where it does not answer, what it says when asked again is the answer. Throws what the change threw if it was not made, or nobody knows. */
  private boolean change(Ownership from, Ownership to) throws IOException {
    try {
      return store.compareAndSet(from, to);
    } catch (IOException | RuntimeException e) {
      Ownership now = from;
      try {
        now = store.read();
      } catch (IOException | RuntimeException unknown) {
        e.addSuppressed(unknown);
      }
      if (now.equals(from)) {
        throw e;
      }
      return now.equals(to);
    }
  }

  /** Return where it stands. */
  public Phase phase() {
    return phase;
  }

  /** Return how far it has come. */
  public Progress progress() {
    boolean still = phase == Phase.STOP_COPY || phase == Phase.UNRESOLVED;
    long before = stopped ? precopyBytes : out.bytes();
    return new Progress(phase, rounds, before, out.bytes() - before, dirtyPages, sender.remaining(), still ? timers.nanoTime() - stoppedAt : downtime);
  }

  /**
   * Do a piece of work; waits for nothing but the devices and the checkpoint.
   *
   * @return whether anything was done; let the world go on for a moment if not
   * @throws MigrationException STORAGE if record or checkpoint cannot be reached: step again when they can, or {@link #cancel}; of another kind if channel, destination, a device or the guest's control failed: then only cancel helps,
   *     and further steps throw the same
   */
  public boolean step() {
    if (phase.isEnd()) {
      return false;
    }
    if (failure != null) {
      throw failure;
    }
    try {
      boolean heard = replies.read(channel);
      hear();
      return work() || heard;
    } catch (IOException e) {
      throw failed(Kind.CHANNEL, "the channel to the destination failed: " + e.getMessage(), e);
    } catch (StreamException e) {
      throw failed(Kind.CHANNEL, "the destination's answer is damaged: " + e.getMessage(), e);
    } catch (DmaMappingException e) {
      throw failed(Kind.DEVICE, e.getMessage(), e);
    } catch (MigrationException e) {
      throw failed(e.kind(), e.getMessage(), e);
    } catch (RuntimeException e) {
      throw failed(Kind.DEVICE, e.toString(), e);
    }
  }

  /** What failed in the middle of something is not gone on with: pages that nobody tells of would be left behind. */
  private MigrationException failed(Kind kind, @Nullable String what, Exception cause) {
    boolean again = kind == Kind.STORAGE;
    String remedy = again ? "step again when it can be reached, or cancel()" : "cancel(): the guest goes on here unless the destination took it over";
    MigrationException failed = new MigrationException(kind, "source, " + phase + ", round " + rounds + ": " + what + "; " + remedy, cause);
    failure = again ? null : failed;
    return failed;
  }

  private boolean work() throws IOException {
    if (phase == Phase.NEW) {
      begin();
      return true;
    }
    long before = out.bytes();
    boolean flushed = out.flush();
    if (flushed && (phase == Phase.PRE_COPY || phase == Phase.STOP_COPY) && sender.stage()) {
      endRound();
    }
    return out.bytes() != before || !flushed || (phase == Phase.UNRESOLVED && isGone());
  }

  /**
   * Ask the record, now and then, in the stead of an answer that may never come, or only in part; hands the guest over if it is gone. A record that cannot be reached decides nothing, nor does one that gives the guest to
   * this side: it may be taken the next moment.
   */
  private boolean isGone() {
    long now = timers.nanoTime();
    if (now - lastAsked < ASK_NANOS) {
      return false;
    }
    lastAsked = now;
    try {
      if (!store.read().isTakenIn(held.session())) {
        return false;
      }
    } catch (IOException e) {
      return false;
    }
    handOver();
    return true;
  }

  private void hear() {
    if (replies.failure() != null) {
      throw new MigrationException(Kind.DATA, "the destination gave up: " + replies.failure());
    }
    if (replies.isRunning()) {
      if (!isTaken()) {
        throw new MigrationException(Kind.DATA, "the destination says that it runs the guest, and the record does not: it is not to be trusted");
      }
      handOver();
    } else if (replies.isClosed()) {
      throw new MigrationException(Kind.CHANNEL, "the destination closed the channel");
    }
  }

  private boolean isTaken() {
    try {
      return store.read().isTakenIn(held.session());
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the ownership record cannot be read: " + e.getMessage(), e);
    }
  }

  private void begin() {
    guest.startLog();
    writes.forEach(DirtySource::start);
    devices.forEach(SourceDevice::start);
    sender.describe();
    current.mark(0, guest.length());
    phase = Phase.PRE_COPY;
    newRound();
  }

  private void newRound() {
    rounds++;
    sender.begin(current);
    roundStart = timers.nanoTime();
    roundBytes = out.bytes();
  }

  private void endRound() {
    if (phase == Phase.STOP_COPY) {
      out.end();
      lastAsked = timers.nanoTime();
      phase = Phase.UNRESOLVED;
      return;
    }
    // What may have to be tried again comes before what cannot.
    out.force();
    if (isTaken()) {
      // Nobody may take a guest over that has not come to its end; here it does not go on.
      handOver();
      return;
    }
    double nanosPerByte = Math.max(1, timers.nanoTime() - roundStart) / (double) (out.bytes() - roundBytes + 1);
    collect();
    deviceBytes = 0;
    devices.forEach(device -> deviceBytes += device.newRound());
    long left = current.dirtyPages() * GuestMemory.PAGE + deviceBytes;
    stageRound();
    // Half of the time is for what is not counted here: the last writes, stopping, and the commit.
    if (left * nanosPerByte <= config.downtimeNanos() / 2.0 || rounds >= config.mostRounds()) {
      stop();
    }
    newRound();
  }

  private void stageRound() {
    if (out.fits(16)) {
      out.begin(ChannelTags.ROUND, true, 16).putInt(rounds).putInt(0).putLong(current.dirtyPages());
      out.finish();
    }
  }

  private void collect() {
    DirtyBitmap sent = current;
    sent.clear();
    collectInto(next);
    current = next;
    next = sent;
    dirtyPages += current.dirtyPages();
  }

  private void collectInto(DirtyBitmap into) {
    guest.collect(into);
    writes.forEach(source -> source.collect(into));
  }

  /** All devices start nothing more before the first of them stops answering. What was collected just now is still to be sent. */
  private void stop() {
    precopyBytes = out.bytes();
    control.pause();
    stopped = true;
    stoppedAt = timers.nanoTime();
    phase = Phase.STOP_COPY;
    devices.forEach(SourceDevice::quiesce);
    devices.forEach(SourceDevice::stop);
    long before = current.dirtyPages();
    collectInto(current);
    dirtyPages += current.dirtyPages() - before;
  }

  /**
   * Keep the guest here and let it run, whatever was done so far; may be called in any phase, and again if it failed.
   *
   * @return false if it is too late: the destination holds the guest, which stays stopped here
   * @throws MigrationException FENCED if somebody else changed the record; DEVICE if a device cannot be run again
   * @throws IOException if the record cannot be reached: nobody knows yet who may run the guest, which goes on as it was
   */
  public boolean cancel() throws IOException {
    if (phase == Phase.DONE || phase == Phase.CANCELLED) {
      return phase == Phase.CANCELLED;
    }
    Ownership now = store.read();
    if (now.isTakenIn(held.session())) {
      handOver();
      return false;
    }
    if (!now.equals(held.keptBySource()) && !change(held, held.keptBySource())) {
      now = store.read();
      if (now.isTakenIn(held.session())) {
        handOver();
        return false;
      }
      throw new MigrationException(Kind.FENCED, "migration " + held.session() + " cannot be cancelled: the record says " + now);
    }
    keep();
    return true;
  }

  private void keep() {
    new Closing().then(this::stopTracking).then(() -> GuestDevices.run(all)).end();
    endDowntime();
    control.resume();
    phase = Phase.CANCELLED;
  }

  private void handOver() {
    if (!stopped) {
      control.pause();
    }
    endDowntime();
    new Closing().then(this::stopTracking).thenEach(devices, SourceDevice::handOver).end();
    phase = Phase.DONE;
  }

  private void endDowntime() {
    downtime = !stopped || downtime != 0 ? downtime : timers.nanoTime() - stoppedAt;
  }

  private void stopTracking() {
    new Closing().then(guest::stopLog).thenEach(writes, DirtySource::stop).end();
  }
}
