package io.twostep.machine.linux.vfiouser.server;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaUnmap;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The memory that a client mapped for the device, by I/O address. Not thread-safe. */
final class ClientRuns implements AutoCloseable {
  /** Far fewer than Linux lets a process have, of which the JVM needs some. */
  static final int MOST = 16384;

  /**
   * One map.
   *
   * @param memory its bytes in this process; null if the client keeps them and is asked for each
   */
  record Run(DmaMap map, @Nullable MemorySegment memory) {
    /** Tell whether the device may access it so. */
    boolean allows(int access) {
      return (map.flags() & access) != 0;
    }
  }

  private final Kernel kernel;
  private final TreeMap<Long, Run> runs = new TreeMap<>(Long::compareUnsigned);

  ClientRuns(Kernel kernel) {
    this.kernel = kernel;
  }

  int count() {
    return runs.size();
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
    if (runs.size() >= MOST) {
      throw new ProtocolException(Errno.ENOSPC, map + ": " + MOST + " maps live, which is all there are");
    }
    Map.Entry<Long, Run> before = runs.floorEntry(map.iova() + (map.size() - 1));
    if (before != null && Long.compareUnsigned(before.getKey() + (before.getValue().map.size() - 1), map.iova()) >= 0) {
      throw new ProtocolException(Errno.EEXIST, map + " overlaps " + before.getValue().map);
    }
    runs.put(map.iova(), new Run(map, file.equals(Descriptor.NONE) ? null : mmap(map, file)));
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
    Run run = runs.get(unmap.iova());
    if (run == null || run.map.size() != unmap.size()) {
      throw new ProtocolException(Errno.ENOENT, "DMA_UNMAP of 0x%x+0x%x, which is no map".formatted(unmap.iova(), unmap.size()));
    }
    runs.remove(unmap.iova());
    release(run);
    return run.map.size();
  }

  /** Return the map that holds an I/O address, null if none does. */
  @Nullable Run at(long iova) {
    Map.Entry<Long, Run> run = runs.floorEntry(iova);
    return run != null && Long.compareUnsigned(iova - run.getKey(), run.getValue().map.size()) < 0 ? run.getValue() : null;
  }

  private void release(Run run) {
    if (run.memory != null) {
      kernel.munmap(run.memory);
    }
  }

  /** Take all maps away; may be repeated. */
  @Override
  public void close() {
    runs.values().forEach(this::release);
    runs.clear();
  }
}
