package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A checkpoint whose n-th call fails, once. */
final class FullDisk implements Checkpoint {
  private final Checkpoint checkpoint;
  private int left;

  FullDisk(Checkpoint checkpoint, int nth) {
    this.checkpoint = checkpoint;
    left = nth;
  }

  private void count() throws IOException {
    if (--left == 0) {
      throw new IOException("no space");
    }
  }

  @Override
  public void append(ByteBuffer bytes) throws IOException {
    count();
    checkpoint.append(bytes);
  }

  @Override
  public void force() throws IOException {
    count();
    checkpoint.force();
  }

  @Override
  public void publish() throws IOException {
    count();
    checkpoint.publish();
  }
}
