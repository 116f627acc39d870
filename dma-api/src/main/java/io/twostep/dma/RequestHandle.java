package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** What handles share that map a whole request of many ranges: its bytes count from the first one of the first range. */
abstract sealed class RequestHandle extends DmaHandle permits DmaTransfer, LinearMapping, ImportedBuffer {
  final RequestMapper request = new RequestMapper(this);

  RequestHandle(DmaMapper mapper) {
    super(mapper);
  }

  /** Tell whether ownership must be moved by sync calls. */
  public final boolean needsSync() {
    requireActive("needsSync");
    return request.needsSync();
  }

  /**
   * Take bytes {@code offset .. offset + length} of what is mapped over from the device, so that the CPU reads what it wrote.
   *
   * @throws IllegalArgumentException for a part outside what is mapped, or, where it is noticed, a source that changed
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException DETACHED after detach; REVOKED if memory of the request was taken back
   */
  public final void syncForCpu(long offset, long length) {
    sync("syncForCpu", offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand bytes {@code offset .. offset + length} of what is mapped over to the device, so that it reads what the CPU wrote; as {@link #syncForCpu}. */
  public final void syncForDevice(long offset, long length) {
    sync("syncForDevice", offset, length, DmaOps.TOWARD_DEVICE);
  }

  private void sync(String call, long offset, long length, int toward) {
    requireAttachedActive(call);
    requireWithin(offset, length, request.bytes());
    enterRevocable(call);
    try {
      request.sync(offset, length, toward);
    } finally {
      leaveRevocable();
    }
  }

  /**
   * Unmap and go idle; when this returns the memory is the caller's again, and the device cannot reach it through this handle.
   *
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public final void unmap() {
    tearDownWith("unmap", null);
  }

  @Override
  final MappingState witness() {
    MappingState segment = request.firstSegment();
    return segment == null ? super.witness() : segment;
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    return request.takeDown(retirement);
  }
}
