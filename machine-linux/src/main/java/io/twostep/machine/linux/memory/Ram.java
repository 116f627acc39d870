package io.twostep.machine.linux.memory;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.kernel.OpenFlags;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/** One mapping of this process that devices can reach, zeroed: anonymous, huge, in memory shared by descriptor, or in a file. Closing unmaps it. */
public final class Ram implements AutoCloseable {
  private static final int PROTECTION = MapOptions.READ | MapOptions.WRITE;

  private final Kernel kernel;
  private final MemorySegment all;
  private final Descriptor file;
  private boolean closed;

  private Ram(Kernel kernel, MemorySegment all, Descriptor file) {
    this.kernel = kernel;
    this.all = all;
    this.file = file;
  }

  /**
   * Map memory.
   *
   * @throws SystemCallException with what to do if there are no such pages, or no such file
   * @throws IllegalArgumentException if the file exists and is not empty
   */
  public static Ram map(Kernel kernel, RamOptions options) {
    long length = options.roundedLength();
    if (!options.shared() && options.path().isEmpty()) {
      return new Ram(kernel, mmap(kernel, options, length, MapOptions.PRIVATE | MapOptions.ANONYMOUS | huge(options.page()), Descriptor.NONE), Descriptor.NONE);
    }
    Descriptor file = options.shared() ? memoryFile(kernel, options.page(), length) : newFile(kernel, options);
    try {
      kernel.truncate(file, length);
      if (options.shared()) {
        // Whoever is given the file could make it shorter under us.
        kernel.sealSize(file);
      }
      return new Ram(kernel, mmap(kernel, options, length, MapOptions.SHARED, file), file);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(file));
    }
  }

  private static MemorySegment mmap(Kernel kernel, RamOptions options, long length, int flags, Descriptor file) {
    try {
      return kernel.mmap(length, PROTECTION, flags, file, 0);
    } catch (SystemCallException e) {
      throw HugePages.explain(e, options.page(), length);
    }
  }

  private static Descriptor memoryFile(Kernel kernel, PageSize page, long length) {
    try {
      return kernel.memfd("twostep memory", MapOptions.MEMFD_SEALABLE | (page == PageSize.SMALL ? 0 : MapOptions.MEMFD_HUGE | size(page)));
    } catch (SystemCallException e) {
      throw HugePages.explain(e, page, length);
    }
  }

  private static Descriptor newFile(Kernel kernel, RamOptions options) {
    Path file = Path.of(options.path());
    try {
      if (!Files.exists(file)) {
        Files.createFile(file);
      } else if (Files.size(file) != 0) {
        throw new IllegalArgumentException(file + ": memory needs an empty file, this one has " + Files.size(file) + " bytes; name another");
      }
      HugePages.requireOn(Files.getFileStore(file), file, options.page());
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot make the file for memory", e);
    }
    return kernel.open(options.path(), OpenFlags.READ_WRITE);
  }

  private static int huge(PageSize page) {
    return page == PageSize.SMALL ? 0 : MapOptions.HUGE | size(page);
  }

  private static int size(PageSize page) {
    return page == PageSize.HUGE_1G ? MapOptions.HUGE_1G : MapOptions.HUGE_2M;
  }

  /** Return all of it; the segment lives as long as the process, what it points to until close. */
  MemorySegment all() {
    return all;
  }

  /** Return the address of the first byte. */
  public long first() {
    return all.address();
  }

  /** Return the bytes. */
  public long length() {
    return all.byteSize();
  }

  /** Return the file that another process maps to see the same memory; {@link Descriptor#NONE} if there is none. Its first byte is the memory's first. */
  public Descriptor file() {
    return file;
  }

  private void unmap() {
    try {
      kernel.munmap(all);
    } catch (SystemCallException e) {
      throw e.explained("memory of %d bytes at 0x%x".formatted(length(), first()), "it stays mapped until this process ends");
    }
  }

  /** Unmap it. Nothing may use it any more, no device either. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    Closing closing = new Closing().then(this::unmap);
    if (file != Descriptor.NONE) {
      closing.then(() -> kernel.close(file));
    }
    closing.end();
  }
}
