package io.twostep.device.vfio.stream;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.zip.CRC32C;

/** What both ends count and sum up of a stream. */
final class StreamDigest {
  private final MessageDigest sha = sha256();
  private final CRC32C crc = new CRC32C();
  private long bytes;

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** Add the bytes of {@code buffer} from {@code from} to {@code to}; its position stays. */
  void add(ByteBuffer buffer, int from, int to) {
    sha.update(buffer.slice(from, to - from));
    bytes += to - from;
  }

  /** Return the CRC-32C of the bytes of {@code buffer} from {@code from} to {@code to}. */
  int crc(ByteBuffer buffer, int from, int to) {
    crc.reset();
    crc.update(buffer.slice(from, to - from));
    return (int) crc.getValue();
  }

  long bytes() {
    return bytes;
  }

  /** Return the sum of all that was added; nothing can be added afterwards. */
  byte[] finish() {
    return sha.digest();
  }
}
