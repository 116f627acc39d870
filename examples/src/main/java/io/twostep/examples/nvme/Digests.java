package io.twostep.examples.nvme;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256 of files. */
public final class Digests {
  private static final int CHUNK = 1 << 20;

  private Digests() {}

  /** Return a new digest. */
  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Digest a file that has {@code size} bytes. */
  public static byte[] of(Path path, long size) throws IOException {
    MessageDigest digest = sha256();
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    long done = 0;
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      while (file.read(chunk.clear()) >= 0) {
        done += chunk.flip().remaining();
        digest.update(chunk);
      }
    }
    if (done != size) {
      throw new EOFException("the file changed its size while it was read");
    }
    return digest.digest();
  }
}
