package io.twostep.examples.nvme;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Reads pieces of files. */
public final class FileReads {
  private FileReads() {}

  /** Fill a buffer with the bytes of a file from {@code offset} on. */
  public static void readFully(FileChannel file, ByteBuffer target, long offset) throws IOException {
    long at = offset;
    while (target.hasRemaining()) {
      int count = file.read(target, at);
      if (count < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
      at += count;
    }
  }
}
