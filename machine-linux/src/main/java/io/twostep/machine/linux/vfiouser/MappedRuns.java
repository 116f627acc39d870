package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What the server was told to map: runs by I/O address, and the way to their bytes for a server that was given no descriptor. Thread-safe. */
final class MappedRuns {
  /** One DMA_MAP; {@code memory} holds its bytes. */
  record Run(long iova, long length, int access, MemorySegment memory) {}

  private final TreeMap<Long, Run> runs = new TreeMap<>(Long::compareUnsigned);

  synchronized int count() {
    return runs.size();
  }

  /** Add a run; returns false, and changes nothing, if it overlaps another. */
  synchronized boolean tryAdd(Run run) {
    Map.Entry<Long, Run> before = runs.floorEntry(run.iova + (run.length - 1));
    if (before != null && Long.compareUnsigned(before.getKey() + (before.getValue().length - 1), run.iova) >= 0) {
      return false;
    }
    runs.put(run.iova, run);
    return true;
  }

  synchronized void remove(Run run) {
    runs.remove(run.iova);
  }

  /**
   * Return the runs that make up a range.
   *
   * @throws IllegalStateException if it is not made of whole runs
   */
  synchronized List<Run> whole(long iova, long length) {
    List<Run> found = new ArrayList<>();
    for (long done = 0; done < length; ) {
      Run run = runs.get(iova + done);
      if (run == null || run.length > length - done) {
        throw new IllegalStateException("0x%x+0x%x is not made of whole mappings".formatted(iova, length));
      }
      found.add(run);
      done += run.length;
    }
    return found;
  }

  /** Return the run that holds an I/O address, null if none does. */
  synchronized @Nullable Run at(long iova) {
    Map.Entry<Long, Run> run = runs.floorEntry(iova);
    return run != null && Long.compareUnsigned(iova - run.getKey(), run.getValue().length) < 0 ? run.getValue() : null;
  }

  /** Copy between a range of I/O addresses and {@code bytes}; returns the first address without the permission, as far as which all was copied, or null. */
  synchronized @Nullable Long copy(long iova, MemorySegment bytes, int access) {
    for (long done = 0; done < bytes.byteSize(); ) {
      Run run = at(iova + done);
      if (run == null || (run.access & access) == 0) {
        return iova + done;
      }
      long offset = iova + done - run.iova;
      long now = Math.min(run.length - offset, bytes.byteSize() - done);
      if (access == DmaMap.READ) {
        MemorySegment.copy(run.memory, offset, bytes, done, now);
      } else {
        MemorySegment.copy(bytes, done, run.memory, offset, now);
      }
      done += now;
    }
    return null;
  }
}
