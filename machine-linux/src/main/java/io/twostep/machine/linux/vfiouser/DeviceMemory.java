package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.linux.kernel.Descriptor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Memory whose files a server can be given. */
interface DeviceMemory extends PhysicalMemory {
  /**
   * A run of a file.
   *
   * @param file the file alone, as it is passed
   * @param offset the run's first byte in it
   * @param bytes the run's bytes, as this process sees them
   */
  record FileRun(List<Descriptor> file, long offset, MemorySegment bytes) {}

  /** Return the longest run of one file that holds {@code phys}; null if there is no memory. */
  @Nullable FileRun fileAt(long phys);

  /** Give everything back. */
  void close();
}
