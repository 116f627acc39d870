package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory behind a {@link SharedWindow}, in a file whose offsets are those of the BAR.
 *
 * <p>A word that was taken is all ones until it is written again, so that writing the same value twice is two writes. The file cannot be made shorter, so that no client can
 * take the memory away.
 */
final class SharedRegisters implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SharedRegisters.class);
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
      throw Closing.after(e, () -> kernel.close(file));
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

  /**
   * Hand everything that was written to the model; returns whether there was anything. Acquire: what the client stored before, the model sees.
   *
   * <p>A model that fails at one word is handed the next.
   */
  boolean sweep(DeviceModel model) {
    boolean any = false;
    for (long at = 0; at < words.byteSize(); at += Integer.BYTES) {
      if ((int) WORD.getOpaque(words, at) != NOTHING) {
        int value = (int) WORD.getAndSet(words, at, NOTHING);
        write(model, window.offset() + at, value);
        any = true;
      }
    }
    return any;
  }

  private void write(DeviceModel model, long offset, int value) {
    try {
      model.write(window.bar(), offset, Integer.BYTES, Integer.toUnsignedLong(value));
    } catch (RuntimeException e) {
      LOG.warn("the model failed when 0x{} was stored at 0x{} of BAR {}", Integer.toHexString(value), Long.toHexString(offset), window.bar(), e);
    }
  }

  @Override
  public void close() {
    new Closing().then(() -> kernel.munmap(words)).then(() -> kernel.close(file)).end();
  }
}
