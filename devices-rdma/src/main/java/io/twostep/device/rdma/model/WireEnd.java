package io.twostep.device.rdma.model;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One end of a {@link Wire}: packets go in and come out as bytes. Thread-safe. */
public final class WireEnd implements AutoCloseable {
  private final Wire.Lane out;
  private final Wire.Lane in;
  private final Runnable onClose;
  private boolean closed;

  WireEnd(Wire.Lane out, Wire.Lane in, Runnable onClose) {
    this.out = out;
    this.in = in;
    this.onClose = onClose;
  }

  /** Send a packet; its bytes are the wire's from now on. */
  public void send(MemorySegment packet) {
    out.send(packet);
  }

  /** Take the next packet that arrived; null if there is none. */
  public @Nullable MemorySegment poll() {
    return in.poll();
  }

  /** Tell whether no packet waits. */
  public boolean isEmpty() {
    return in.isEmpty();
  }

  /** Have {@code listener} called by {@link Wire#deliver} while packets wait. */
  public void listen(Runnable listener) {
    in.listen(listener);
  }

  /** Pull the end out: nothing arrives here any more. May be repeated. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      in.close();
      onClose.run();
    }
  }
}
