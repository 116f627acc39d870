package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.dma.DirtyBitmap;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/** Stages what is to be told of a guest, as much at a time as the writer has room for: in a round some pages, then what its devices have to say. */
final class GuestSender {
  private static final int DEVICE_PIECE = 32 << 10;

  private final GuestMemory guest;
  private final List<SourceDevice> devices;
  private final ChannelWriter out;
  private final int chunkBytes;
  private final ByteBuffer piece;
  private DirtyBitmap pages;
  private long cursor;
  private long remaining;

  GuestSender(GuestMemory guest, List<SourceDevice> devices, ChannelWriter out, int chunkBytes) {
    this.guest = guest;
    this.devices = devices;
    this.out = out;
    this.chunkBytes = chunkBytes;
    piece = ByteBuffer.allocate(Math.min(DEVICE_PIECE, chunkBytes));
    pages = guest.newBitmap();
    cursor = guest.length();
  }

  /** Return most bytes that one record takes. */
  static int mostRecordBytes(int chunkBytes) {
    return chunkBytes + 64;
  }

  /** Stage what the guest is. */
  void describe() {
    out.begin(ChannelTags.GUEST, false, 16).putLong(guest.length()).putInt(devices.size()).putInt(0);
    out.finish();
  }

  /** Begin a round: {@code next} are the pages to stage, all of them to be told when it ends. */
  void begin(DirtyBitmap next) {
    pages = next;
    cursor = 0;
    remaining = next.dirtyPages();
  }

  /** Return how many pages of the round are still to be staged. */
  long remaining() {
    return remaining;
  }

  /** Stage what there is room for; returns whether the round is over. */
  boolean stage() {
    while (stagePages()) {
      if (isFull()) {
        return false;
      }
    }
    for (SourceDevice device : devices) {
      while (device.stage(out, piece)) {
        if (isFull()) {
          return false;
        }
      }
    }
    return true;
  }

  private boolean isFull() {
    return !out.fits(chunkBytes + Long.BYTES);
  }

  /** Stage the next run of pages; returns whether there was one. */
  private boolean stagePages() {
    long first = cursor < guest.length() ? pages.nextDirty(cursor) : DirtyBitmap.NONE;
    if (first == DirtyBitmap.NONE) {
      cursor = guest.length();
      return false;
    }
    long end = first + GuestMemory.PAGE;
    while (end < guest.length() && end - first < chunkBytes && pages.isDirty(end)) {
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
}
