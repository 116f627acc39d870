package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.stream.RecordWriter;
import io.twostep.device.vfio.stream.StreamLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;

/** Puts records together in one buffer and writes them to a channel, as much at a time as that takes. */
final class ChannelWriter {
  private final WritableByteChannel channel;
  private final Checkpoint checkpoint;
  private final RecordWriter records;
  private final ByteBuffer staged;
  private boolean filling = true;
  private boolean appended;
  private boolean kept;
  private boolean ended;
  private long bytes;
  private int start;

  /** Create a writer of the stream of a migration that was {@code begun}; what is sent was kept in {@code checkpoint} before. */
  ChannelWriter(WritableByteChannel channel, Ownership begun, int capacity, Checkpoint checkpoint) {
    this.channel = channel;
    this.checkpoint = checkpoint;
    records = new RecordWriter(begun.session(), begun.epoch());
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
      appended = false;
      kept = false;
    }
    if (!kept) {
      keep();
    }
    channel.write(staged);
    if (staged.hasRemaining()) {
      return false;
    }
    staged.clear();
    filling = true;
    return true;
  }

  /** The end is kept before any byte of it is sent: whoever may have it may take the guest over. What is tried again is not appended twice. */
  private void keep() {
    try {
      if (!appended) {
        checkpoint.append(staged);
        appended = true;
      }
      if (ended) {
        checkpoint.publish();
      }
      kept = true;
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the checkpoint cannot be written: " + e.getMessage(), e);
    }
  }

  /** Make durable what was kept, so that less is left to do at the end. */
  void force() {
    try {
      checkpoint.force();
    } catch (IOException e) {
      throw new MigrationException(Kind.STORAGE, "the checkpoint cannot be made durable: " + e.getMessage(), e);
    }
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
    ended = true;
    bytes += staged.position() - before;
  }

  /** Return how many bytes were staged in all. */
  long bytes() {
    return bytes;
  }
}
