package io.twostep.device.nvme.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/** A medium in a file, mapped as a whole; survives the model. */
final class FileStore implements BlockStore {
  private static final int FILL = 1 << 16;

  private final Arena arena;
  private final MemorySegment mapped;
  private final byte blank;

  private FileStore(Arena arena, MemorySegment mapped, byte blank) {
    this.arena = arena;
    this.mapped = mapped;
    this.blank = blank;
  }

  /**
   * Open {@code file}, and create or lengthen it if it is shorter than {@code size}.
   *
   * @param blank what bytes that the file did not have before read as
   * @throws UncheckedIOException if the file cannot be opened, lengthened or mapped
   */
  static FileStore open(Path file, long size, byte blank) {
    Arena arena = Arena.ofShared();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (blank != 0) {
        fill(channel, size, blank);
      }
      return new FileStore(arena, channel.map(FileChannel.MapMode.READ_WRITE, 0, size, arena), blank);
    } catch (IOException e) {
      arena.close();
      throw new UncheckedIOException("cannot keep a namespace of " + size + " bytes in " + file, e);
    }
  }

  /** Lengthen with something else than the zeroes that mapping lengthens with. */
  private static void fill(FileChannel channel, long size, byte blank) throws IOException {
    byte[] bytes = new byte[FILL];
    Arrays.fill(bytes, blank);
    for (long at = channel.size(); at < size; ) {
      at += channel.write(ByteBuffer.wrap(bytes, 0, (int) Math.min(FILL, size - at)), at);
    }
  }

  @Override
  public long size() {
    return mapped.byteSize();
  }

  @Override
  public MemorySegment readable(long offset) {
    return mapped;
  }

  @Override
  public MemorySegment writable(long offset) {
    return mapped;
  }

  @Override
  public long offsetInSegment(long offset) {
    return offset;
  }

  @Override
  public long run(long offset) {
    return mapped.byteSize() - offset;
  }

  @Override
  public void clear(long offset, long length) {
    mapped.asSlice(offset, length).fill(blank);
  }

  @Override
  public void flush() {
    mapped.force();
  }

  @Override
  public void close() {
    arena.close();
  }
}
