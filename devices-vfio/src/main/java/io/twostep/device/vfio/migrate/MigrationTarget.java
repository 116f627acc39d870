package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.stream.RecordParser;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Receives a guest: memory and devices, checked byte by byte, made durable, then taken over by one change of the {@link Ownership} record, then run.
 *
 * <p>Until the record is changed the guest is the source's; if it cannot be changed the guest does not run here. {@link Recovery} starts a guest from a {@link Spool}. Used by the thread that uses the devices.
 */
public final class MigrationTarget {
  private static final int SLICE = 1 << 18;
  private static final int REPLY = 4096;

  private final List<MigratableDevice> devices;
  private final ReadableByteChannel in;
  private final WritableByteChannel replies;
  private final OwnershipStore store;
  private final GuestControl control;
  private final Spool spool;
  private final GuestLoader loader;
  private final RecordParser parser;
  private final ByteBuffer slice = ByteBuffer.allocateDirect(SLICE);
  private Phase phase = Phase.NEW;
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
    this.devices = List.copyOf(devices);
    this.in = in;
    this.replies = replies;
    this.store = store;
    this.control = control;
    this.spool = spool;
    loader = new GuestLoader(guest, this.devices);
    parser = new RecordParser(loader);
  }

  /** Return where it stands. */
  public Phase phase() {
    return phase;
  }

  /**
   * Do a piece of work; waits for nothing but the devices, and for the channel if that is a blocking one.
   *
   * @return whether anything was done
   * @throws MigrationException DATA if what arrived is not what was sent, CHANNEL if the channel ended or broke, STORAGE if spool or record cannot be reached, DEVICE if a device refused its state, FENCED if the source
   *     kept the guest. The guest does not run here then; but in PREPARED and COMMITTED it is, or may be, this side's: step again, or start it from the spool
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
    } catch (MigrationException e) {
      throw failed(e.kind(), e.getMessage(), e);
    } catch (StreamException e) {
      throw failed(Kind.DATA, e.getMessage(), e);
    } catch (DmaMappingException e) {
      throw failed(Kind.DEVICE, e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw failed(Kind.REFUSED, e.getMessage(), e);
    }
  }

  /** A commit that may have happened is tried again, never given up; what goes wrong after it does not give the guest back. */
  private MigrationException failed(Kind kind, @Nullable String what, RuntimeException cause) {
    Phase at = phase;
    boolean committed = at == Phase.COMMITTED || (at == Phase.PREPARED && kind == Kind.STORAGE);
    String remedy =
        !committed
            ? "the guest does not run here; cancel at the source, and begin anew with a channel and a destination of its own"
            : at == Phase.PREPARED ? "the guest may be this side's: step again when that can be reached" : "the guest is this side's: step again, or resume it from the spool";
    MigrationException failed = new MigrationException(kind, "destination, " + at + ": " + what + "; " + remedy, cause);
    if (!committed) {
      phase = Phase.FAILED;
      tell(ChannelTags.FAILED, String.valueOf(what));
      Closing.after(failed, () -> GuestDevices.reset(devices));
    }
    return failed;
  }

  private boolean prepare() {
    loader.prepare();
    phase = Phase.PRE_COPY;
    return true;
  }

  private boolean receive() {
    slice.clear();
    int count = read();
    if (count < 0) {
      parser.requireComplete();
    }
    if (count <= 0) {
      return false;
    }
    slice.flip();
    spool();
    parser.accept(slice);
    if (loader.isComplete()) {
      loader.finish();
      forceSpool();
      phase = Phase.PREPARED;
    }
    return true;
  }

  private int read() {
    try {
      return in.read(slice);
    } catch (IOException e) {
      throw new MigrationException(Kind.CHANNEL, "the channel from the source failed: " + e.getMessage(), e);
    }
  }

  private void spool() {
    try {
      spool.append(slice);
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the spool cannot be written: " + e.getMessage(), e);
    }
  }

  private void forceSpool() {
    try {
      spool.force();
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the spool cannot be made durable: " + e.getMessage(), e);
    }
  }

  /** The commit: before it the guest is the source's, after it this side's. */
  private boolean commit() {
    Ownership begun = loader.begun();
    boolean repeated = committing;
    committing = true;
    try {
      if (!store.compareAndSet(begun, begun.takenByDestination())) {
        committing = repeated;
        Ownership now = store.read();
        if (!repeated || !now.equals(begun.takenByDestination())) {
          String who = now.isTakenIn(begun.session()) ? "somebody else took over" : "the source kept";
          throw new MigrationException(Kind.FENCED, who + " the guest of migration " + begun.session() + ": the record says " + now);
        }
      }
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the ownership record cannot be changed: " + e.getMessage(), e);
    }
    phase = Phase.COMMITTED;
    return true;
  }

  private boolean run() {
    loader.run();
    control.resume();
    phase = Phase.DONE;
    tell(ChannelTags.RUNNING, "");
    return true;
  }

  /** Answers are a courtesy: the record says what holds. */
  private void tell(int tag, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    ChannelWriter writer = new ChannelWriter(replies, loader.begun(), REPLY, Checkpoint.NONE);
    writer.begin(tag, false, Math.min(bytes.length, REPLY / 2)).put(bytes, 0, Math.min(bytes.length, REPLY / 2));
    writer.finish();
    try {
      answered = writer.flush();
    } catch (IOException e) {
      answered = false;
    }
  }

  /** Tell whether the source could be told how it ended. */
  public boolean isAnswered() {
    return answered;
  }
}
