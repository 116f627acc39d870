package io.twostep.machine.model.memory;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The bytes of RAM: one sparse file, deleted at once, mapped as one segment.
 *
 * <pre>
 *   0 ............................ viewStart ............................ end
 *   | page p holds frame base + p | pages of scattered blocks, in CPU order |
 * </pre>
 *
 * <p>A block whose frames are adjacent lives in the first half, at the place of its frames; a block of scattered frames lives in the second half, so that the
 * CPU sees it contiguous, as an MMU would show it. Nothing is stored for pages never touched.
 */
final class Storage {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment all;
  private final long viewStart;
  private final PageSet used;

  Storage(PhysicalLayout layout, Path directory) {
    viewStart = layout.span();
    long bytes = viewStart + 2 * (layout.frames() << PhysicalLayout.FRAME_SHIFT);
    all = map(directory, bytes, arena);
    used = new PageSet(bytes >>> PhysicalLayout.FRAME_SHIFT);
  }

  private static MemorySegment map(Path directory, long bytes, Arena arena) {
    try {
      Path file = Files.createTempFile(directory, "twostep-ram-", ".bin");
      try (FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.SPARSE, StandardOpenOption.DELETE_ON_CLOSE)) {
        return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("modelled RAM of " + bytes + " bytes: no sparse file in " + directory + "; choose another with 'directory'", e);
    }
  }

  /** Return everything. */
  MemorySegment all() {
    return all;
  }

  /** Return the bytes of the first half. */
  long viewStart() {
    return viewStart;
  }

  /** Return the first page of the second half. */
  int firstViewPage() {
    return (int) (viewStart >>> PhysicalLayout.FRAME_SHIFT);
  }

  /** Return the pages of the second half. */
  int viewPages() {
    return (int) ((all.byteSize() - viewStart) >>> PhysicalLayout.FRAME_SHIFT);
  }

  /** Make pages zero, whatever they held before. */
  void zero(long firstPage, long pages) {
    for (long page = firstPage; page < firstPage + pages; page++) {
      if (used.add(page)) {
        all.asSlice(page << PhysicalLayout.FRAME_SHIFT, PhysicalLayout.FRAME_SIZE).fill((byte) 0);
      }
    }
  }

  /** Note that a page nobody owns was written, so that it is zeroed before it is handed out. */
  void touch(long page) {
    used.add(page);
  }

  void close() {
    arena.close();
  }
}
