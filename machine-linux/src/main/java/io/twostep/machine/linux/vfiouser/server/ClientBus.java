package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.BusMaster;
import io.twostep.machine.linux.slot.LostBar;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.server.ClientRuns.Run;
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
    /** Ask for bytes. */
    boolean read(long iova, MemorySegment to);

    /** Hand over bytes. */
    boolean write(long iova, MemorySegment from);
  }

  private final ServedConfig config;
  private @Nullable ClientRuns runs;
  private @Nullable Messages messages;

  ClientBus(ServedConfig config) {
    this.config = config;
  }

  /** Use a client's memory from now on; null for nobody's. */
  void use(@Nullable ClientRuns newRuns, @Nullable Messages newMessages) {
    runs = newRuns;
    messages = newMessages;
  }

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, target.byteSize());
    return move(dmaAddress, target.asSlice(offset, length), DmaMap.READ);
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    Objects.checkFromIndexSize(offset, length, source.byteSize());
    return move(dmaAddress, source.asSlice(offset, length), DmaMap.WRITE);
  }

  private int move(long iova, MemorySegment bytes, int access) {
    ClientRuns mapped = runs;
    if (mapped == null || !config.masters()) {
      return NOT_MASTER;
    }
    for (long done = 0; done < bytes.byteSize(); ) {
      Run run = mapped.at(iova + done);
      if (run == null || !run.allows(access)) {
        return UNSUPPORTED_REQUEST;
      }
      long within = iova + done - run.map().iova();
      long now = Math.min(run.map().size() - within, bytes.byteSize() - done);
      if (!move(run, within, bytes.asSlice(done, now), access)) {
        return COMPLETER_ABORT;
      }
      done += now;
    }
    return OK;
  }

  private boolean move(Run run, long within, MemorySegment bytes, int access) {
    MemorySegment memory = run.memory();
    if (memory != null) {
      return copy(memory.asSlice(within, bytes.byteSize()), bytes, access);
    }
    Messages asked = messages;
    long iova = run.map().iova() + within;
    return asked != null && (access == DmaMap.READ ? asked.read(iova, bytes) : asked.write(iova, bytes));
  }

  /** A client can make its file shorter under us: a bus error, which the JVM turns into an InternalError. */
  private static boolean copy(MemorySegment memory, MemorySegment bytes, int access) {
    try {
      if (access == DmaMap.READ) {
        MemorySegment.copy(memory, 0, bytes, 0, bytes.byteSize());
      } else {
        MemorySegment.copy(bytes, 0, memory, 0, bytes.byteSize());
      }
      LostBar.notice();
      return true;
    } catch (InternalError e) {
      return false;
    }
  }
}
