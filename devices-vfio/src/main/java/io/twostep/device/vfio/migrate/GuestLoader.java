package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.stream.RecordHandler;
import io.twostep.dma.DirtyBitmap;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/** Puts what a stream says of a guest into a guest's memory and devices. */
final class GuestLoader implements RecordHandler {
  private final GuestMemory guest;
  private final List<MigratableDevice> devices;
  private Ownership begun = new Ownership(0, Side.SOURCE, 0);
  private final DirtyBitmap arrived;
  private boolean described;
  private boolean complete;

  GuestLoader(GuestMemory guest, List<MigratableDevice> devices) {
    this.guest = guest;
    this.devices = devices;
    arrived = guest.newBitmap();
  }

  /** Return what the record said when the stream was begun, as the stream tells it. */
  Ownership begun() {
    return begun;
  }

  /** Tell whether the end was seen. */
  boolean isComplete() {
    return complete;
  }

  /** Let the devices take their state. */
  void prepare() {
    devices.forEach(device -> device.setState(DeviceState.RESUMING));
  }

  /** Have the devices make what they took their own; they stand still then. */
  void finish() {
    devices.forEach(device -> device.setState(DeviceState.STOP));
  }

  @Override
  public void begin(long session, long epoch) {
    begun = new Ownership(epoch, Side.SOURCE, session);
  }

  @Override
  public boolean knows(int tag) {
    return ChannelTags.isOfGuest(tag);
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
    long missing = guest.length() / GuestMemory.PAGE - arrived.dirtyPages();
    if (missing != 0) {
      throw new MigrationException(Kind.DATA, "the stream ends, and " + missing + " pages never came");
    }
    complete = true;
  }

  private static void requireBytes(ByteBuffer payload, long least) {
    if (payload.remaining() < least) {
      throw new MigrationException(Kind.DATA, "a record of " + payload.remaining() + " bytes where " + least + " are the least");
    }
  }

  private void describe(ByteBuffer payload) {
    requireBytes(payload, 16);
    long length = payload.getLong();
    int count = payload.getInt();
    if (length != guest.length() || count != devices.size()) {
      throw new MigrationException(
          Kind.REFUSED, "a guest of " + length + " bytes and " + count + " devices does not fit one of " + guest.length() + " bytes and " + devices.size() + " devices");
    }
    described = true;
  }

  private void memory(ByteBuffer payload) {
    requireBytes(payload, Long.BYTES + GuestMemory.PAGE);
    long address = payload.getLong();
    int count = payload.remaining();
    if (!described || address < 0 || count > guest.length() || address > guest.length() - count || ((address | count) & GuestMemory.PAGE - 1) != 0) {
      throw new MigrationException(Kind.DATA, "0x" + Long.toHexString(address) + "+0x" + Integer.toHexString(count) + " is not of this guest's memory");
    }
    guest.write(address, MemorySegment.ofBuffer(payload), 0, count);
    arrived.mark(address, count);
  }

  private void device(ByteBuffer payload) {
    requireBytes(payload, 2 * Integer.BYTES);
    int number = payload.getInt();
    payload.getInt();
    if (!described || number < 0 || number >= devices.size()) {
      throw new MigrationException(Kind.DATA, "device " + number + " is not of this guest");
    }
    devices.get(number).loadStream().write(payload);
  }

  /** Let loaded devices work. May be repeated if it failed. */
  void run() {
    GuestDevices.run(devices);
  }
}
