package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaRuns;
import io.twostep.machine.linux.vfiouser.protocol.DmaUnmap;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The memory that a client mapped for the device, by I/O address. Not thread-safe. */
final class ClientRuns implements AutoCloseable {
  /** Far fewer than Linux lets a process have, of which the JVM needs some. */
  static final int MOST = 16384;

  private final Kernel kernel;
  private final DmaRuns runs = new DmaRuns();

  ClientRuns(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * Add a map.
   *
   * @param file what holds the memory, still the caller's; NONE if the client keeps it
   * @throws ProtocolException if it overlaps another, is not made of whole pages, or lies outside its file
   */
  void map(DmaMap map, Descriptor file) {
    long page = kernel.pageSize();
    if (((map.iova() | map.size() | map.offset()) & (page - 1)) != 0) {
      throw new ProtocolException(map + ": maps are whole pages of " + page + " bytes");
    }
    if (runs.count() >= MOST) {
      throw new ProtocolException(Errno.ENOSPC, map + ": " + MOST + " maps live, which is all there are");
    }
    MemorySegment memory = file.equals(Descriptor.NONE) ? null : mmap(map, file);
    if (!runs.tryAdd(map.iova(), map.size(), map.flags(), memory, 0)) {
      throw Closing.after(new ProtocolException(Errno.EEXIST, map + " overlaps another map"), () -> release(memory));
    }
  }

  private MemorySegment mmap(DmaMap map, Descriptor file) {
    try {
      long bytes = kernel.size(file);
      if (map.size() > bytes - map.offset()) {
        throw new ProtocolException("%s: the descriptor has 0x%x bytes".formatted(map, bytes));
      }
      // The flags of both sides have the same numbers: read 1, write 2.
      return kernel.mmap(map.size(), map.flags(), MapOptions.SHARED, file, map.offset());
    } catch (SystemCallException e) {
      throw new ProtocolException(e.errno(), map + ": " + e.getMessage());
    }
  }

  /**
   * Take maps away, and return the bytes.
   *
   * @throws ProtocolException if there is no such map
   */
  long unmap(DmaUnmap unmap) {
    if (unmap.isAll()) {
      close();
      return 0;
    }
    int run = runs.beginningAt(unmap.iova());
    if (run < 0 || runs.length(run) != unmap.size()) {
      throw new ProtocolException(Errno.ENOENT, "DMA_UNMAP of 0x%x+0x%x, which is no map".formatted(unmap.iova(), unmap.size()));
    }
    release(runs.memory(run));
    runs.remove(run);
    return unmap.size();
  }

  /** Return the maps. */
  DmaRuns all() {
    return runs;
  }

  private void release(@Nullable MemorySegment memory) {
    if (memory != null) {
      kernel.munmap(memory);
    }
  }

  /** Take all maps away; may be repeated. */
  @Override
  public void close() {
    Closing closing = new Closing();
    for (int i = 0; i < runs.count(); i++) {
      MemorySegment memory = runs.memory(i);
      closing.then(() -> release(memory));
    }
    runs.clear();
    closing.end();
  }
}
