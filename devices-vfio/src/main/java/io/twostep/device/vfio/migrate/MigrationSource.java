package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.device.vfio.stream.StreamLayout;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.spi.Timers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends a guest that runs: its memory in rounds, each what was written during the one before, then, with the guest standing still, the rest and the state of its devices.
 *
 * <pre>{@code
 * MigrationSource source = new MigrationSource(guest, devices, channel, ownership, timers, control, MigrationConfig.DEFAULT, session);
 * while (!source.phase().isEnd()) {
 *   source.step();                  // does not wait
 *   runTheGuestForAWhile();
 * }
 * }</pre>
 *
 * <p>The source stops the guest before the end of the stream is sent, and lets it run again only after it has changed the {@link Ownership} record; the destination runs it only after it has changed it.
 * One of the two changes succeeds. Whatever fails, {@link #cancel} settles it, and may be repeated. The channel may be blocking or not, and stays the caller's. Used by the thread that uses the devices.
 */
public final class MigrationSource {
  private static final int RECORDS_STAGED = 4;
  private static final int DEVICE_PIECE = 32 << 10;

  private final GuestMemory guest;
  private final List<SourceDevice> devices = new ArrayList<>();
  private final ByteChannel channel;
  private final OwnershipStore store;
  private final Timers timers;
  private final GuestControl control;
  private final MigrationConfig config;
  private final Ownership held;
  private final ChannelWriter out;
  private final Replies replies;
  private final ByteBuffer piece;
  private DirtyBitmap current;
  private DirtyBitmap next;
  private long cursor;
  private long remaining;
  private Phase phase = Phase.NEW;
  private int rounds;
  private long roundStart;
  private long roundBytes;
  private long deviceBytes;
  private long precopyBytes;
  private long dirtyPages;
  private long stoppedAt;
  private long downtime;

  /**
   * Begin a migration: from now on the destination of {@code session} may take over once it has everything.
   *
   * @param session names this migration; not 0, and not that of another one
   * @throws MigrationException REFUSED if what devices write cannot be told, or they write to each other and cannot be quiesced one after the other; FENCED if the source does not hold the guest, or another
   *     migration is under way: cancel that first. Nothing changed then
   * @throws IOException if the record cannot be reached
   */
  public MigrationSource(
      GuestMemory guest,
      List<MigratableDevice> devices,
      ByteChannel channel,
      OwnershipStore store,
      Timers timers,
      GuestControl control,
      MigrationConfig config,
      long session)
      throws IOException {
    this.guest = guest;
    this.channel = channel;
    this.store = store;
    this.timers = timers;
    this.control = control;
    this.config = config;
    for (MigratableDevice device : devices) {
      if (config.peers() && !device.features().peerToPeer()) {
        throw new MigrationException(Kind.REFUSED, device.name() + ": writes to its peers and cannot stop that before it stops answering them; it has no P2P states");
      }
      this.devices.add(new SourceDevice(device, this.devices.size(), device.newDirtySource(config.tracking())));
    }
    Ownership before = store.read();
    if (before.holder() != Side.SOURCE || before.session() != 0 || session == 0) {
      throw new MigrationException(Kind.FENCED, "cannot begin migration " + session + ": the record says " + before);
    }
    held = before.begun(session);
    if (!store.compareAndSet(before, held)) {
      throw new MigrationException(Kind.FENCED, "cannot begin migration " + session + ": another one began at the same time");
    }
    out = new ChannelWriter(channel, session, held.epoch(), StreamLayout.MAX_PREAMBLE + RECORDS_STAGED * (config.chunkBytes() + 64));
    replies = new Replies(session);
    piece = ByteBuffer.allocate(Math.min(DEVICE_PIECE, config.chunkBytes()));
    current = guest.newBitmap();
    next = guest.newBitmap();
  }

  /** Return where it stands. */
  public Phase phase() {
    return phase;
  }

  /** Return how far it has come. */
  public Progress progress() {
    boolean still = phase == Phase.STOP_COPY || phase == Phase.UNRESOLVED;
    long stopped = stoppedAt == 0 ? 0 : out.bytes() - precopyBytes;
    return new Progress(phase, rounds, stoppedAt == 0 ? out.bytes() : precopyBytes, stopped, dirtyPages, remaining, still ? timers.nanoTime() - stoppedAt : downtime);
  }

  /**
   * Do a piece of work; waits for nothing but the devices, and for the channel if that is a blocking one.
   *
   * @return whether anything was done; let the world go on for a moment if not
   * @throws MigrationException CHANNEL if the channel failed or was closed, DATA or DEVICE if the destination or a device gave up; {@link #cancel} then
   */
  public boolean step() {
    if (phase.isEnd()) {
      return false;
    }
    try {
      boolean heard = replies.read(channel);
      hear();
      return work() || heard;
    } catch (IOException e) {
      throw new MigrationException(Kind.CHANNEL, "the channel to the destination failed: " + e.getMessage(), e);
    } catch (StreamException e) {
      throw new MigrationException(Kind.CHANNEL, "the destination's answer is damaged: " + e.getMessage(), e);
    }
  }

  private boolean work() throws IOException {
    if (phase == Phase.NEW) {
      begin();
      return true;
    }
    long before = out.bytes();
    boolean flushed = out.flush();
    if (flushed && (phase == Phase.PRE_COPY || phase == Phase.STOP_COPY)) {
      stage();
    }
    return out.bytes() != before || !flushed;
  }

  private void hear() throws IOException {
    if (replies.failure() != null) {
      throw new MigrationException(Kind.DATA, "the destination gave up: " + replies.failure());
    }
    if (replies.isRunning() && phase == Phase.UNRESOLVED && isTaken()) {
      handOver();
    } else if (replies.isClosed()) {
      throw new MigrationException(Kind.CHANNEL, "the destination closed the channel");
    }
  }

  private boolean isTaken() throws IOException {
    return store.read().isTakenIn(held.session());
  }

  private void begin() {
    guest.startLog();
    devices.forEach(SourceDevice::start);
    out.begin(ChannelTags.GUEST, false, 16).putLong(guest.length()).putInt(devices.size()).putInt(0);
    out.finish();
    current.mark(0, guest.length());
    phase = Phase.PRE_COPY;
    newRound();
  }

  private void newRound() {
    rounds++;
    cursor = 0;
    remaining = current.dirtyPages();
    roundStart = timers.nanoTime();
    roundBytes = out.bytes();
  }

  private void stage() {
    while (stagePages()) {
      if (!out.fits(config.chunkBytes() + Long.BYTES)) {
        return;
      }
    }
    for (SourceDevice device : devices) {
      while (device.stage(out, piece)) {
        if (!out.fits(config.chunkBytes() + Long.BYTES)) {
          return;
        }
      }
    }
    endRound();
  }

  /** Stage the next run of pages; returns whether there was one. */
  private boolean stagePages() {
    long first = cursor < guest.length() ? current.nextDirty(cursor) : DirtyBitmap.NONE;
    if (first == DirtyBitmap.NONE) {
      cursor = guest.length();
      return false;
    }
    long end = first + GuestMemory.PAGE;
    while (end < guest.length() && end - first < config.chunkBytes() && current.isDirty(end)) {
      end += GuestMemory.PAGE;
    }
    int count = (int) (end - first);
    ByteBuffer payload = out.begin(ChannelTags.MEMORY, false, Long.BYTES + count);
    payload.putLong(first);
    MemorySegment.copy(guest.segment(), first, MemorySegment.ofBuffer(payload), 0, count);
    payload.position(payload.position() + count);
    out.finish();
    cursor = end;
    remaining -= count / GuestMemory.PAGE;
    return true;
  }

  private void endRound() {
    if (phase == Phase.STOP_COPY) {
      out.end();
      phase = Phase.UNRESOLVED;
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
    devices.forEach(device -> device.writes().collect(into));
  }

  /** All devices start nothing more before the first of them stops answering. What was collected just now is still to be sent. */
  private void stop() {
    precopyBytes = out.bytes();
    control.pause();
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
    if (!now.equals(held.keptBySource()) && !store.compareAndSet(held, held.keptBySource())) {
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
    stopTracking();
    devices.forEach(SourceDevice::run);
    endDowntime();
    phase = Phase.CANCELLED;
    control.resume();
  }

  private void handOver() {
    endDowntime();
    stopTracking();
    devices.forEach(SourceDevice::handOver);
    phase = Phase.DONE;
  }

  private void endDowntime() {
    downtime = stoppedAt == 0 || downtime != 0 ? downtime : timers.nanoTime() - stoppedAt;
  }

  private void stopTracking() {
    guest.stopLog();
    devices.forEach(device -> device.writes().stop());
  }

  /**
   * Say what became of a guest whose source process was lost, and let it run again where the record allows that: for whoever starts after a crash, with the devices as the crash left them.
   *
   * @return true if the guest runs here; false if the destination holds it
   * @throws IOException if the record cannot be reached; nothing changed
   */
  public static boolean recover(GuestMemory guest, List<MigratableDevice> devices, OwnershipStore store, GuestControl control) throws IOException {
    Ownership now = store.read();
    while (now.holder() == Side.SOURCE) {
      if (now.session() == 0 || store.compareAndSet(now, now.keptBySource())) {
        guest.stopLog();
        for (MigratableDevice device : devices) {
          device.stopTracking();
          SourceDevice.run(device);
        }
        control.resume();
        return true;
      }
      now = store.read();
    }
    return false;
  }
}
