package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.linux.kernel.Descriptor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Memory whose files a server can be given. */
interface DeviceMemory extends PhysicalMemory {
  /**
   * A run of a file.
   *
   * @param file the file
   * @param offset the run's first byte in it
   * @param bytes the run's bytes, as this process sees them
   */
  record FileRun(Descriptor file, long offset, MemorySegment bytes) {}

  /** Return the run of one file that begins at {@code phys} and has up to {@code length} bytes; null if there is no memory. */
  @Nullable FileRun fileAt(long phys, long length);

  /** Give everything back. */
  void close();
}
