package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.stream.StreamLayout;
import io.twostep.dma.DirtyBitmap;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;

/** Keeps a guest that does not migrate: it stands still while its memory is written. */
public final class CheckpointWriter {
  private static final int CHUNK = 1 << 18;

  private CheckpointWriter() {}

  /**
   * Stop a guest, keep it, and let it run again; the checkpoint is published when this returns.
   *
   * @param guest what runs here, and is held here by the record
   * @throws MigrationException FENCED if the source does not hold the guest or a migration is under way; DEVICE if a device cannot be stopped, saved or run again; STORAGE if the checkpoint cannot be written. What was
   *     published before stays then, and the guest runs, unless a device cannot
   * @throws IOException if the record cannot be reached
   */
  public static void write(GuestMemory guest, List<MigratableDevice> devices, OwnershipStore store, GuestControl control, Checkpoint checkpoint) throws IOException {
    Ownership now = store.read();
    if (now.holder() != Side.SOURCE || now.session() != 0) {
      throw new MigrationException(Kind.FENCED, "cannot keep a guest that moves, or is elsewhere: the record says " + now);
    }
    List<SourceDevice> stopped = new ArrayList<>();
    for (MigratableDevice device : devices) {
      stopped.add(new SourceDevice(device, stopped.size()));
    }
    ChannelWriter out = new ChannelWriter(new Nowhere(), now, StreamLayout.MAX_PREAMBLE + 2 * GuestSender.mostRecordBytes(CHUNK), checkpoint);
    control.pause();
    try (Standstill _ = new Standstill(devices, control)) {
      stopped.forEach(SourceDevice::quiesce);
      stopped.forEach(SourceDevice::stop);
      GuestSender sender = new GuestSender(guest, stopped, out, CHUNK);
      sender.describe();
      DirtyBitmap all = guest.newBitmap();
      all.mark(0, guest.length());
      sender.begin(all);
      while (!sender.stage()) {
        out.flush();
      }
      out.flush();
    }
    out.end();
    out.flush();
  }

  /** A guest that goes on at its end, however that comes. */
  private record Standstill(List<MigratableDevice> devices, GuestControl control) implements AutoCloseable {
    @Override
    public void close() {
      GuestDevices.run(devices);
      control.resume();
    }
  }

  /** What is kept is sent nowhere. */
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
