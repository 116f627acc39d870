package io.twostep.examples.capture;

import io.twostep.examples.capture.ProcessMaps.Mapping;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Finds where a file mapped into memory, new memory or another process's memory lies. */
public final class Capture {
  private static final long AT_PAGE_SIZE = 6;
  private static final int PIECE_PAGES = 512;
  private static final Path SELF = Path.of("/proc/self");

  private Capture() {}

  /** Map a file, read every page of it, and find where they are. */
  public static Captured file(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofConfined()) {
      MemorySegment mapped = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
      mapped.load();
      return own(mapped);
    }
  }

  /** Allocate memory of this process, write to every page of it, and find where they are. */
  public static Captured allocated(long length) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      long pageSize = pageSize();
      MemorySegment memory = arena.allocate(length, pageSize);
      for (long at = 0; at < length; at += pageSize) {
        memory.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
      }
      return own(memory);
    }
  }

  private static Captured own(MemorySegment memory) throws IOException {
    Captured found = new Captured();
    try (PageMap pages = new PageMap(SELF.resolve("pagemap"), pageSize())) {
      pages.read(memory.address(), memory.byteSize(), found);
    }
    return found;
  }

  /**
   * Find where memory of a process is.
   *
   * @param start first address
   * @param length bytes
   */
  public static Captured process(long pid, long start, long length) throws IOException {
    Captured found = new Captured();
    try (PageMap pages = new PageMap(folder(pid).resolve("pagemap"), pageSize())) {
      pages.read(start, length, found);
    }
    return found;
  }

  /**
   * Find where a process's buffers are: memory that it may write to and that belongs to no file, or, with a name, what is mapped under it.
   *
   * @param name part of a mapping's name, or empty
   * @param mostBytes when to stop
   * @param mostRuns when to stop
   */
  public static Captured process(long pid, String name, long mostBytes, int mostRuns) throws IOException {
    List<Mapping> all = ProcessMaps.read(folder(pid).resolve("maps"));
    List<Mapping> chosen = all.stream().filter(mapping -> name.isEmpty() ? mapping.isBuffer() : mapping.name().contains(name)).toList();
    Captured found = new Captured();
    try (PageMap pages = new PageMap(folder(pid).resolve("pagemap"), pageSize())) {
      for (Mapping mapping : chosen) {
        readUpTo(pages, mapping, mostBytes, mostRuns, found);
        found.cut();
      }
    }
    return found;
  }

  /** Read in pieces, because most of a process's addresses may have no memory: what counts is what was found. */
  private static void readUpTo(PageMap pages, Mapping mapping, long mostBytes, int mostRuns, Captured found) throws IOException {
    long piece = PIECE_PAGES * pageSize();
    for (long at = mapping.start(); at < mapping.end(); at += piece) {
      if (found.bytes() + piece > mostBytes || found.count() + PIECE_PAGES > mostRuns) {
        return;
      }
      pages.read(at, Math.min(piece, mapping.end() - at), found);
    }
  }

  private static Path folder(long pid) {
    return Path.of("/proc", Long.toString(pid));
  }

  /** Return the bytes of a page, as the kernel tells every process when it starts. */
  static long pageSize() throws IOException {
    ByteBuffer words = ByteBuffer.wrap(Files.readAllBytes(SELF.resolve("auxv"))).order(ByteOrder.nativeOrder());
    while (words.remaining() >= 2 * Long.BYTES) {
      long type = words.getLong();
      long value = words.getLong();
      if (type == AT_PAGE_SIZE) {
        return value;
      }
    }
    throw new IOException("/proc/self/auxv does not tell the size of a page");
  }
}
