package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.stream.RecordWriter;
import io.twostep.device.vfio.stream.StreamLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;

/** Puts records together in one buffer and writes them to a channel, as much at a time as that takes. */
final class ChannelWriter {
  private final WritableByteChannel channel;
  private final RecordWriter records;
  private final ByteBuffer staged;
  private boolean filling = true;
  private long bytes;
  private int start;

  ChannelWriter(WritableByteChannel channel, long session, long epoch, int capacity) {
    this.channel = channel;
    records = new RecordWriter(session, epoch);
    staged = ByteBuffer.allocateDirect(capacity).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Write what is staged; returns whether all of it was taken, so that more can be staged. */
  boolean flush() throws IOException {
    if (filling) {
      if (staged.position() == 0) {
        return true;
      }
      staged.flip();
      filling = false;
    }
    channel.write(staged);
    if (staged.hasRemaining()) {
      return false;
    }
    staged.clear();
    filling = true;
    return true;
  }

  /** Tell whether a record with a payload of this length can be staged now. */
  boolean fits(int length) {
    return filling && records.fits(staged, length);
  }

  /** Return how many bytes of payload can be staged now. */
  int room() {
    return filling ? staged.remaining() - StreamLayout.OVERHEAD - StreamLayout.PREAMBLE : 0;
  }

  /** Begin a record; the caller puts its payload into what this returns, and then calls {@link #finish}. */
  ByteBuffer begin(int tag, boolean optional, int length) {
    bytes -= staged.position();
    start = records.begin(staged, tag, optional, length);
    return staged;
  }

  void finish() {
    records.finish(staged, start);
    bytes += staged.position();
  }

  void end() {
    int before = staged.position();
    records.end(staged);
    bytes += staged.position() - before;
  }

  /** Return how many bytes were staged in all. */
  long bytes() {
    return bytes;
  }
}
