package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Doorbell;
import io.twostep.device.nvme.host.SubmissionQueue;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Where a submission queue lies: in coherent host memory, or in the controller's own. */
final class SubmissionMemory implements AutoCloseable {
  private final @Nullable DmaBuffer host;
  private final MemorySegment inController;
  private final long controllerAddress;

  private SubmissionMemory(@Nullable DmaBuffer host, MemorySegment inController, long controllerAddress) {
    this.host = host;
    this.inController = inController;
    this.controllerAddress = controllerAddress;
  }

  /** Own a buffer of host memory. */
  static SubmissionMemory ofHost(DmaBuffer buffer) {
    return new SubmissionMemory(buffer, MemorySegment.NULL, buffer.dmaAddress());
  }

  /** Use {@code length} bytes of the controller's memory, from {@code offset} on. */
  static SubmissionMemory ofController(ControllerMemoryBuffer buffer, long offset, long length) {
    return new SubmissionMemory(null, buffer.segment().asSlice(offset, length), buffer.controllerAddress() + offset);
  }

  SubmissionQueue queue(int depth, Doorbell tail) {
    return host == null ? SubmissionQueue.inController(inController, depth, tail) : new SubmissionQueue(host.segment(), depth, tail);
  }

  /** Return the address to create the queue with. */
  long controllerAddress() {
    return controllerAddress;
  }

  @Override
  public void close() {
    if (host != null) {
      host.close();
    }
  }
}
