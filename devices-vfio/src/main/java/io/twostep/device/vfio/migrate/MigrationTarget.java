package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.stream.RecordHandler;
import io.twostep.device.vfio.stream.RecordParser;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.dma.DmaMappingException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Receives a guest: memory and devices, checked byte by byte, made durable, then taken over by one change of the {@link Ownership} record, then run.
 *
 * <p>Until the record is changed the guest is the source's; if it cannot be changed the guest does not run here. {@link #recover} starts a guest from a {@link Spool}. Used by the thread that uses the devices.
 */
public final class MigrationTarget {
  private static final int SLICE = 1 << 18;
  private static final int REPLY = 4096;

  private final GuestMemory guest;
  private final List<MigratableDevice> devices;
  private final ReadableByteChannel in;
  private final WritableByteChannel replies;
  private final OwnershipStore store;
  private final GuestControl control;
  private final Spool spool;
  private final RecordParser parser = new RecordParser(new Records());
  private final ByteBuffer slice = ByteBuffer.allocateDirect(SLICE);
  private Phase phase = Phase.NEW;
  private long session;
  private long epoch;
  private boolean described;
  private boolean complete;
  private boolean committing;
  private boolean answered = true;

  /**
   * Create a destination for one guest; its devices run, and have no work.
   *
   * @param guest memory of the same length as the source's
   * @param devices as many as at the source, in the same order, with this memory assigned
   * @param replies where answers go; may be the same as {@code in}, which stays the caller's
   */
  public MigrationTarget(
      GuestMemory guest, List<MigratableDevice> devices, ReadableByteChannel in, WritableByteChannel replies, OwnershipStore store, GuestControl control, Spool spool) {
    this.guest = guest;
    this.devices = List.copyOf(devices);
    this.in = in;
    this.replies = replies;
    this.store = store;
    this.control = control;
    this.spool = spool;
  }

  /** Return where it stands. */
  public Phase phase() {
    return phase;
  }

  /**
   * Do a piece of work; waits for nothing but the devices, and for the channel if that is a blocking one.
   *
   * @return whether anything was done
   * @throws MigrationException DATA if what arrived is not what was sent, CHANNEL if the channel ended or broke, DEVICE if a device refused its state, FENCED if the source kept the guest. The guest does not run here
   *     then; but in PREPARED and COMMITTED it is, or may be, this side's: step again, or start it from the spool
   * @throws StreamException as DATA
   */
  public boolean step() {
    try {
      return switch (phase) {
        case NEW -> prepare();
        case PRE_COPY -> receive();
        case PREPARED -> commit();
        case COMMITTED -> run();
        default -> false;
      };
    } catch (MigrationException | StreamException | DmaMappingException | IllegalArgumentException e) {
      throw giveUp(e);
    } catch (IOException e) {
      MigrationException failed = new MigrationException(Kind.CHANNEL, "the channel, the spool or the record failed: " + e.getMessage(), e);
      // A commit that may have happened is tried again, never given up.
      throw phase == Phase.PREPARED ? failed : giveUp(failed);
    }
  }

  private boolean prepare() {
    devices.forEach(device -> device.setState(DeviceState.RESUMING));
    phase = Phase.PRE_COPY;
    return true;
  }

  private boolean receive() throws IOException {
    slice.clear();
    int count = in.read(slice);
    if (count < 0) {
      parser.requireComplete();
    }
    if (count <= 0) {
      return false;
    }
    slice.flip();
    spool.append(slice);
    parser.accept(slice);
    if (complete) {
      devices.forEach(device -> device.setState(DeviceState.STOP));
      spool.force();
      phase = Phase.PREPARED;
    }
    return true;
  }

  /** The commit: before it the guest is the source's, after it this side's. */
  private boolean commit() throws IOException {
    Ownership begun = new Ownership(epoch, Side.SOURCE, session);
    boolean repeated = committing;
    committing = true;
    if (!store.compareAndSet(begun, begun.takenByDestination()) && !(repeated && store.read().equals(begun.takenByDestination()))) {
      throw new MigrationException(Kind.FENCED, "the source kept the guest of migration " + session + ": the record says " + store.read());
    }
    phase = Phase.COMMITTED;
    return true;
  }

  private boolean run() {
    for (DeviceState state : new DeviceState[] {DeviceState.RUNNING_P2P, DeviceState.RUNNING}) {
      for (MigratableDevice device : devices) {
        if (device.features().supports(state) && device.state() != state) {
          device.setState(state);
        }
      }
    }
    phase = Phase.DONE;
    control.resume();
    tell(ChannelTags.RUNNING, "");
    return true;
  }

  /** What went wrong after the commit does not give the guest back. */
  private RuntimeException giveUp(RuntimeException e) {
    if (phase != Phase.COMMITTED && !phase.isEnd()) {
      phase = Phase.FAILED;
      tell(ChannelTags.FAILED, String.valueOf(e.getMessage()));
      devices.forEach(MigratableDevice::reset);
    }
    return e;
  }

  /** Answers are a courtesy: the record says what holds. */
  private void tell(int tag, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    ChannelWriter writer = new ChannelWriter(replies, session, epoch, REPLY);
    writer.begin(tag, false, Math.min(bytes.length, REPLY / 2)).put(bytes, 0, Math.min(bytes.length, REPLY / 2));
    writer.finish();
    try {
      writer.flush();
    } catch (IOException e) {
      answered = false;
    }
  }

  /** Tell whether the source could be told how it ended. */
  public boolean isAnswered() {
    return answered;
  }

  private final class Records implements RecordHandler {
    @Override
    public void begin(long of, long at) {
      session = of;
      epoch = at;
    }

    @Override
    public boolean knows(int tag) {
      return tag >= ChannelTags.GUEST && tag <= ChannelTags.ROUND;
    }

    @Override
    public void record(int tag, ByteBuffer payload) {
      switch (tag) {
        case ChannelTags.GUEST -> describe(payload);
        case ChannelTags.MEMORY -> memory(payload);
        case ChannelTags.DEVICE -> device(payload);
        default -> {}
      }
    }

    @Override
    public void end() {
      complete = true;
    }
  }

  private void describe(ByteBuffer payload) {
    long length = payload.getLong();
    int count = payload.getInt();
    if (length != guest.length() || count != devices.size()) {
      throw new MigrationException(
          Kind.REFUSED, "a guest of " + length + " bytes and " + count + " devices does not fit one of " + guest.length() + " bytes and " + devices.size() + " devices");
    }
    described = true;
  }

  private void memory(ByteBuffer payload) {
    long address = payload.getLong();
    int count = payload.remaining();
    if (!described || address < 0 || count > guest.length() || address > guest.length() - count || ((address | count) & GuestMemory.PAGE - 1) != 0) {
      throw new MigrationException(Kind.DATA, "0x" + Long.toHexString(address) + "+0x" + Integer.toHexString(count) + " is not of this guest's memory");
    }
    guest.write(address, MemorySegment.ofBuffer(payload), 0, count);
  }

  private void device(ByteBuffer payload) {
    int number = payload.getInt();
    payload.getInt();
    if (!described || number < 0 || number >= devices.size()) {
      throw new MigrationException(Kind.DATA, "device " + number + " is not of this guest");
    }
    devices.get(number).loadStream().write(payload);
  }

  /**
   * Start a guest from a spool after the destination that received it was lost, if the record says that its migration took over. The record is changed first, so that of several that try one succeeds.
   *
   * @param claim whether to take the guest over if the record says that the source still holds it; only for a source that is lost
   * @return true if the guest runs here; false if it is not this side's to run, or the spool is not complete
   * @throws IOException if spool or record cannot be reached
   */
  public static boolean recover(
      GuestMemory guest, List<MigratableDevice> devices, ReadableByteChannel spooled, OwnershipStore store, GuestControl control, boolean claim) throws IOException {
    MigrationTarget target = new MigrationTarget(guest, devices, spooled, new Nowhere(), store, control, Spool.NONE);
    try {
      while (target.phase != Phase.PREPARED) {
        if (!target.step() && target.phase == Phase.PRE_COPY) {
          throw new StreamException(StreamException.Kind.TRUNCATED, "the spool ends early");
        }
      }
    } catch (StreamException e) {
      return false;
    }
    Ownership begun = new Ownership(target.epoch, Side.SOURCE, target.session);
    Ownership now = store.read();
    boolean may = now.isTakenIn(target.session) || (claim && now.equals(begun));
    if (!may || !store.compareAndSet(now, now.takenByDestination())) {
      devices.forEach(MigratableDevice::reset);
      return false;
    }
    target.phase = Phase.COMMITTED;
    return target.run();
  }

  /** Takes answers that nobody waits for. */
  private static final class Nowhere implements WritableByteChannel {
    @Override
    public int write(ByteBuffer bytes) {
      int count = bytes.remaining();
      bytes.position(bytes.limit());
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }
}
