package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import java.lang.foreign.MemorySegment;

/** A file in memory, mapped here and by whoever is given its descriptor. Its pages are never anybody else's, and nobody can make it shorter under us. */
final class SharedFile {
  private final Kernel kernel;
  private final Descriptor file;
  private final MemorySegment mapped;
  private boolean closed;

  /** Make a file of zeros; they take no memory until they are touched. */
  SharedFile(Kernel kernel, String name, long length) {
    this.kernel = kernel;
    file = kernel.memfd(name, MapOptions.MEMFD_SEALABLE);
    try {
      kernel.truncate(file, length);
      kernel.sealSize(file);
      mapped = kernel.mmap(length, MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, file, 0);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(file));
    }
  }

  Descriptor descriptor() {
    return file;
  }

  long address() {
    return mapped.address();
  }

  long length() {
    return mapped.byteSize();
  }

  /** Return the bytes; they live as long as the file is open. */
  MemorySegment mapped() {
    return mapped;
  }

  private void unmap() {
    try {
      kernel.munmap(mapped);
    } catch (SystemCallException e) {
      throw e.explained(file.name(), "its " + length() + " bytes stay mapped until this process ends");
    }
  }

  /** Unmap and close; may be repeated. */
  void close() {
    if (!closed) {
      closed = true;
      new Closing().then(this::unmap).then(() -> kernel.close(file)).end();
    }
  }
}
