package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.DeviceModel;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;

/**
 * The memory behind a {@link SharedWindow}, in a file whose offsets are those of the BAR.
 *
 * <p>A word that was taken is all ones until it is written again, so that writing the same value twice is two writes. The file cannot be made shorter, so that no client can
 * take the memory away.
 */
final class SharedRegisters implements AutoCloseable {
  private static final int NOTHING = -1;
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private final Kernel kernel;
  private final SharedWindow window;
  private final Descriptor file;
  private final MemorySegment words;

  SharedRegisters(Kernel kernel, Path socket, SharedWindow window) {
    this.kernel = kernel;
    this.window = window;
    file = kernel.memfd("registers of " + socket, MapOptions.MEMFD_SEALABLE);
    try {
      kernel.truncate(file, window.offset() + window.length());
      kernel.sealSize(file);
      words = kernel.mmap(window.length(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, file, window.offset());
    } catch (RuntimeException e) {
      kernel.close(file);
      throw e;
    }
    clear();
  }

  SharedWindow window() {
    return window;
  }

  Descriptor file() {
    return file;
  }

  /** Forget what was written. */
  void clear() {
    words.fill((byte) NOTHING);
  }

  /** Hand everything that was written to the model; returns whether there was anything. Acquire: what the client stored before, the model sees. */
  boolean sweep(DeviceModel model) {
    boolean any = false;
    for (long at = 0; at < words.byteSize(); at += Integer.BYTES) {
      if ((int) WORD.getOpaque(words, at) != NOTHING) {
        int value = (int) WORD.getAndSet(words, at, NOTHING);
        model.write(window.bar(), window.offset() + at, Integer.BYTES, Integer.toUnsignedLong(value));
        any = true;
      }
    }
    return any;
  }

  @Override
  public void close() {
    kernel.munmap(words);
    kernel.close(file);
  }
}
