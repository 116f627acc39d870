package io.twostep.examples.capture;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Reads {@code /proc/PID/pagemap}: one word for each page of the process's addresses.
 *
 * <pre>
 *   63       62       61..55   54..................0
 *   present  swapped           page frame number, 0 for readers without CAP_SYS_ADMIN
 * </pre>
 */
final class PageMap implements AutoCloseable {
  private static final long PRESENT = 1L << 63;
  private static final long SWAPPED = 1L << 62;
  private static final long FRAME = (1L << 55) - 1;
  private static final int CHUNK = 8192;

  private final FileChannel file;
  private final long pageSize;
  private final ByteBuffer words = ByteBuffer.allocate(CHUNK).order(ByteOrder.nativeOrder());

  /**
   * Open the file.
   *
   * @throws java.nio.file.AccessDeniedException without the right to look into the process
   */
  PageMap(Path path, long pageSize) throws IOException {
    file = FileChannel.open(path, StandardOpenOption.READ);
    this.pageSize = pageSize;
  }

  /** Read where {@code length} bytes from {@code address} on lie. */
  void read(long address, long length, Captured to) throws IOException {
    long end = address + length;
    long at = address;
    while (at < end) {
      long page = at / pageSize;
      long last = (end - 1) / pageSize;
      words.clear().limit((int) Math.min(CHUNK, (last - page + 1) * Long.BYTES));
      fill(page * Long.BYTES);
      while (words.hasRemaining()) {
        long inPage = at % pageSize;
        long bytes = Math.min(end - at, pageSize - inPage);
        take(words.getLong(), inPage, bytes, to);
        at += bytes;
      }
    }
  }

  private void fill(long from) throws IOException {
    long at = from;
    while (words.hasRemaining()) {
      int count = file.read(words, at);
      if (count < 0) {
        throw new EOFException("the page map ends before address 0x" + Long.toHexString(at / Long.BYTES * pageSize));
      }
      at += count;
    }
    words.flip();
  }

  private void take(long word, long inPage, long bytes, Captured to) {
    if ((word & PRESENT) == 0) {
      to.away((word & SWAPPED) != 0);
    } else if ((word & FRAME) == 0) {
      to.hidden();
    } else {
      to.present((word & FRAME) * pageSize + inPage, bytes);
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
