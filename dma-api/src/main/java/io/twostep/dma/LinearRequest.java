package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;

/** Maps a request as one range for the device: as it is, or else, if the caller accepts that, by copying it together. */
final class LinearRequest {
  private final DmaHandle handle;
  private final RequestMapper request;
  private final LinearSink sink = new LinearSink();

  LinearRequest(DmaHandle handle, RequestMapper request) {
    this.handle = handle;
    this.request = request;
  }

  /**
   * Map the request and return the address of its first byte; after a failure {@link RequestMapper#takeDown} is due.
   *
   * @throws DmaMappingException NOT_LINEAR if there is no such range
   */
  long map(PhysRanges source, int flags, LinearPolicy policy) {
    String refusal = request.mapLinear(source, flags, sink);
    if (refusal == null) {
      return request.firstAddress();
    }
    if (policy == LinearPolicy.IN_PLACE) {
      throw notLinear(refusal, "; use a transfer, or allow it to be bounced");
    }
    if (request.plan().kinds() != 1 << RangeKind.LOCAL) {
      throw notLinear(refusal, ", and peer memory is never copied; use a transfer");
    }
    RuntimeException failure = request.takeDown(handle.own());
    if (failure != null) {
      throw failure;
    }
    handle.completeOwn();
    return request.gather(source, flags);
  }

  private DmaMappingException notLinear(String why, String remedy) {
    TransferPlan plan = request.plan();
    return new DmaMappingException(
        Reason.NOT_LINEAR,
        "%s: %d ranges of %s bytes cannot be one range: %s%s".formatted(handle.stack().device, plan.ranges(), Hex.of(plan.bytes()), why, remedy));
  }
}
