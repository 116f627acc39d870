package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.stream.RecordHandler;
import io.twostep.device.vfio.stream.RecordParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** What the destination answers. Nothing in it decides who may run the guest: the ownership record does. */
final class Replies implements RecordHandler {
  private static final int MOST_BYTES = 4096;

  private final long session;
  private final RecordParser parser = new RecordParser(this, MOST_BYTES);
  private final ByteBuffer slice = ByteBuffer.allocate(MOST_BYTES);
  private boolean running;
  private boolean closed;
  private @Nullable String failure;

  Replies(long session) {
    this.session = session;
  }

  /** Read what there is; returns whether there was anything. */
  boolean read(ReadableByteChannel channel) throws IOException {
    slice.clear();
    int count = channel.read(slice);
    closed |= count < 0;
    if (count <= 0) {
      return false;
    }
    parser.accept(slice.flip());
    return true;
  }

  boolean isRunning() {
    return running;
  }

  boolean isClosed() {
    return closed;
  }

  @Nullable String failure() {
    return failure;
  }

  @Override
  public void begin(long of, long epoch) {
    if (of != session) {
      failure = "the destination answers for another migration";
    }
  }

  @Override
  public boolean knows(int tag) {
    return tag == ChannelTags.RUNNING || tag == ChannelTags.FAILED;
  }

  @Override
  public void record(int tag, ByteBuffer payload) {
    if (tag == ChannelTags.RUNNING) {
      running = true;
    } else {
      failure = StandardCharsets.UTF_8.decode(payload).toString();
    }
  }

  @Override
  public void end() {}
}
