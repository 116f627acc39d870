package io.twostep.machine.linux.slot;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.Iommu.FaultListener;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.OpenFlags;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.run.FaultListeners;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accesses that the IOMMU refused, from the kernel's log, which is the only place where the kernel tells a program of them; read from the first listener on.
 *
 * <p>The kernel limits how often it logs, so a storm of faults shows in part. Where the log may not be read nobody hears anything, and the program's log says so once.
 */
public final class KernelFaults implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(KernelFaults.class);
  private static final int MOST_BYTES_OF_A_RECORD = 8192;

  private final Kernel kernel;
  private final String path;
  private final EventLoop loop;
  private final FaultListeners listeners = new FaultListeners();
  private @Nullable Descriptor log;
  private EventLoop.@Nullable Watch watch;
  private boolean tried;

  /** Create; the log is opened with the first listener. */
  public KernelFaults(Kernel kernel, HostPaths paths, EventLoop loop) {
    this.kernel = kernel;
    this.path = paths.dev().resolve("kmsg").toString();
    this.loop = loop;
  }

  /** Tell {@code listener} of faults of devices whose address {@code device} knows, on the machine's thread. */
  synchronized void listen(Predicate<String> device, FaultListener listener) {
    listeners.add(
        fault -> {
          if (device.test(fault.device().text())) {
            listener.fault(fault);
          }
        });
    if (!tried) {
      tried = true;
      open();
    }
  }

  private void open() {
    try {
      Descriptor opened = kernel.open(path, OpenFlags.READ_ONLY | OpenFlags.NON_BLOCKING);
      try {
        // Going to the end skips what was logged before.
        kernel.size(opened);
        watch = loop.watch(opened, () -> read(opened));
        log = opened;
      } catch (RuntimeException e) {
        throw Closing.after(e, () -> kernel.close(opened));
      }
    } catch (SystemCallException e) {
      LOG.warn("refused accesses of devices will not be told: {}", e.getMessage());
    }
  }

  private void read(Descriptor from) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment line = arena.allocate(MOST_BYTES_OF_A_RECORD);
      while (true) {
        long length = readRecord(from, line);
        if (length < 0) {
          return;
        }
        FaultRecord fault = FaultLine.parse(new String(line.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        if (fault != null) {
          listeners.tell(fault);
        }
      }
    }
  }

  /** Return the bytes of the next record; 0 for one that was overwritten before it could be read, -1 for none. A log that cannot be read is let go, or it would be ready for ever. */
  private long readRecord(Descriptor from, MemorySegment line) {
    try {
      long length = kernel.read(from, line);
      if (length != 0) {
        return length;
      }
      LOG.warn("refused accesses of devices will not be told any more: {} has ended", path);
    } catch (SystemCallException e) {
      if (e.errno() == Errno.EPIPE) {
        return 0;
      }
      LOG.warn("refused accesses of devices will not be told any more: {}", e.getMessage());
    }
    close();
    return -1;
  }

  /** Read no more. The reader is waited for without the lock: it may be about to close the log itself. */
  @Override
  public void close() {
    EventLoop.Watch watching;
    Descriptor opened;
    synchronized (this) {
      tried = true;
      watching = watch;
      opened = log;
      watch = null;
      log = null;
    }
    if (watching != null && opened != null) {
      watching.cancel();
      kernel.close(opened);
    }
  }
}
