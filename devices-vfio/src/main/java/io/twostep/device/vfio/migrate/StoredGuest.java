package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.stream.RecordHandler;
import io.twostep.device.vfio.stream.RecordParser;
import io.twostep.device.vfio.stream.StreamException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads a guest that was kept as a stream: a checkpoint or a spool. */
final class StoredGuest {
  private static final int SLICE = 1 << 18;

  private StoredGuest() {}

  /**
   * Return what the record said when the stream was begun; null unless the stream is whole, every byte as it was written.
   *
   * @throws IOException if it cannot be read
   */
  static @Nullable Ownership inspect(ReadableByteChannel stored) throws IOException {
    Inspector inspector = new Inspector();
    try {
      read(stored, new RecordParser(inspector));
      return inspector.begun;
    } catch (StreamException e) {
      return null;
    }
  }

  /**
   * Load a guest; its devices stand still afterwards.
   *
   * @return the loader, to run it
   * @throws RuntimeException if the stream is not whole, or does not fit; the devices are to be reset then
   */
  static GuestLoader load(ReadableByteChannel stored, GuestMemory guest, List<MigratableDevice> devices) throws IOException {
    GuestLoader loader = new GuestLoader(guest, devices);
    loader.prepare();
    read(stored, new RecordParser(loader));
    loader.finish();
    return loader;
  }

  private static void read(ReadableByteChannel stored, RecordParser parser) throws IOException {
    ByteBuffer slice = ByteBuffer.allocateDirect(SLICE);
    while (stored.read(slice) >= 0) {
      parser.accept(slice.flip());
      slice.clear();
    }
    parser.requireComplete();
  }

  /** Takes every record and looks at none. */
  private static final class Inspector implements RecordHandler {
    private @Nullable Ownership begun;

    @Override
    public void begin(long session, long epoch) {
      begun = new Ownership(epoch, Side.SOURCE, session);
    }

    @Override
    public boolean knows(int tag) {
      return ChannelTags.isOfGuest(tag);
    }

    @Override
    public void record(int tag, ByteBuffer payload) {}

    @Override
    public void end() {}
  }
}
