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
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory behind a {@link SharedWindow}, in a file whose offsets are those of the BAR; another one for each client, since a client that has left may still have its own.
 *
 * <p>A word that was taken is all ones until it is written again, so that writing the same value twice is two writes. The file cannot be made shorter, so that no client can
 * take the memory away.
 */
final class SharedRegisters implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SharedRegisters.class);
  private static final int NOTHING = -1;
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private final Kernel kernel;
  private final String name;
  private final SharedWindow window;
  private @Nullable Descriptor file;
  private @Nullable MemorySegment words;

  /** Describe them; the memory is made when a client asks for it. */
  SharedRegisters(Kernel kernel, Path socket, SharedWindow window) {
    this.kernel = kernel;
    this.window = window;
    name = "registers of " + socket;
  }

  SharedWindow window() {
    return window;
  }

  /**
   * Return the file for the client of the day, made if this is the first time that it asks; still the server's.
   *
   * @throws io.twostep.machine.linux.SystemCallException if the kernel has no such memory
   */
  Descriptor file() {
    Descriptor made = file;
    if (made == null) {
      made = kernel.memfd(name, MapOptions.MEMFD_SEALABLE);
      words = map(made);
      file = made;
      clear();
    }
    return made;
  }

  private MemorySegment map(Descriptor made) {
    try {
      kernel.truncate(made, window.offset() + window.length());
      kernel.sealSize(made);
      return kernel.mmap(window.length(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, made, window.offset());
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(made));
    }
  }

  /** Forget what was written. */
  void clear() {
    MemorySegment now = words;
    if (now != null) {
      now.fill((byte) NOTHING);
    }
  }

  /**
   * Hand everything that was written to the model; returns whether there was anything. Acquire: what the client stored before, the model sees.
   *
   * <p>A model that fails at one word is handed the next.
   */
  boolean sweep(DeviceModel model) {
    MemorySegment now = words;
    if (now == null) {
      return false;
    }
    boolean any = false;
    for (long at = 0; at < now.byteSize(); at += Integer.BYTES) {
      if ((int) WORD.getOpaque(now, at) != NOTHING) {
        int value = (int) WORD.getAndSet(now, at, NOTHING);
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

  /** Let go of the memory that the client of the day was given; what it still stores there nobody reads. May be repeated. */
  @Override
  public void close() {
    MemorySegment mapped = words;
    Descriptor made = file;
    if (mapped != null && made != null) {
      words = null;
      file = null;
      new Closing().then(() -> kernel.munmap(mapped)).then(() -> kernel.close(made)).end();
    }
  }
}
