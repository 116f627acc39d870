package io.twostep.device.vfio.migrate;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;

/** A spool that outlives its machine; what was not forced is lost with it. */
final class MemorySpool implements Spool {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private int durable;

  @Override
  public void append(ByteBuffer slice) {
    byte[] copy = new byte[slice.remaining()];
    slice.duplicate().get(copy);
    bytes.writeBytes(copy);
  }

  @Override
  public void force() {
    durable = bytes.size();
  }

  ReadableByteChannel afterCrash() {
    return Channels.newChannel(new ByteArrayInputStream(Arrays.copyOf(bytes.toByteArray(), durable)));
  }
}
