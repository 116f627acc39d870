package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A checkpoint or a spool of which a chosen call fails, once. */
final class FullDisk implements Checkpoint, Spool {
  private final Checkpoint disk;
  private int left;

  FullDisk(Checkpoint disk) {
    this.disk = disk;
  }

  FullDisk(Spool spool) {
    this(
        new Checkpoint() {
          @Override
          public void append(ByteBuffer bytes) throws IOException {
            spool.append(bytes);
          }

          @Override
          public void force() throws IOException {
            spool.force();
          }

          @Override
          public void publish() {}
        });
  }

  /** Let the n-th call from now on fail. */
  void failCall(int nth) {
    left = nth;
  }

  /** Tell whether nothing is left to fail. */
  boolean hasFailed() {
    return left == 0;
  }

  private void count() throws IOException {
    if (left > 0 && --left == 0) {
      throw new IOException("no space");
    }
  }

  @Override
  public void append(ByteBuffer bytes) throws IOException {
    count();
    disk.append(bytes);
  }

  @Override
  public void force() throws IOException {
    count();
    disk.force();
  }

  @Override
  public void publish() throws IOException {
    count();
    disk.publish();
  }
}
