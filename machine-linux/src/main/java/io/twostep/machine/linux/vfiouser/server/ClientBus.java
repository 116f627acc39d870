package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.BusMaster;
import io.twostep.machine.linux.slot.LostBar;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaRuns;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The model's way to the memory of the client of the day: what the client mapped, as it allowed, and nothing else.
 *
 * <p>Memory that a client passed and then took away is an abort, and not a crash.
 */
final class ClientBus implements BusMaster {
  /** Access to memory that the client keeps; false if it refuses. */
  interface Messages {
    /** Ask for bytes, into part of {@code to}. */
    boolean read(long iova, MemorySegment to, long offset, long length);

    /** Hand over bytes, from part of {@code from}. */
    boolean write(long iova, MemorySegment from, long offset, long length);
  }

  private final ServedConfig config;
  private @Nullable DmaRuns runs;
  private @Nullable Messages messages;

  ClientBus(ServedConfig config) {
    this.config = config;
  }

  /** Use a client's memory from now on; null for nobody's. */
  void use(@Nullable DmaRuns newRuns, @Nullable Messages newMessages) {
    runs = newRuns;
    messages = newMessages;
  }

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, target.byteSize());
    return move(dmaAddress, target, offset, length, DmaMap.READ);
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, source.byteSize());
    return move(dmaAddress, source, offset, length, DmaMap.WRITE);
  }

  private int move(long iova, MemorySegment bytes, long offset, long length, int access) {
    DmaRuns mapped = runs;
    if (mapped == null || !config.masters()) {
      return NOT_MASTER;
    }
    for (long done = 0; done < length; ) {
      int run = mapped.at(iova + done);
      if (run < 0 || !mapped.allows(run, access)) {
        return UNSUPPORTED_REQUEST;
      }
      long within = iova + done - mapped.iova(run);
      long now = Math.min(mapped.length(run) - within, length - done);
      MemorySegment memory = mapped.memory(run);
      if (!(memory == null ? ask(iova + done, bytes, offset + done, now, access) : copy(memory, within, bytes, offset + done, now, access))) {
        return COMPLETER_ABORT;
      }
      done += now;
    }
    return OK;
  }

  private boolean ask(long iova, MemorySegment bytes, long offset, long length, int access) {
    Messages asked = messages;
    return asked != null && (access == DmaMap.READ ? asked.read(iova, bytes, offset, length) : asked.write(iova, bytes, offset, length));
  }

  /** A client can make its file shorter under us: a bus error, which the JVM turns into an InternalError. */
  private static boolean copy(MemorySegment memory, long within, MemorySegment bytes, long offset, long length, int access) {
    try {
      if (access == DmaMap.READ) {
        MemorySegment.copy(memory, within, bytes, offset, length);
      } else {
        MemorySegment.copy(bytes, offset, memory, within, length);
      }
      LostBar.notice();
      return true;
    } catch (InternalError e) {
      return false;
    }
  }
}
