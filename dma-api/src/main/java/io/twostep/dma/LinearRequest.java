package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Maps a request as one range for the device: as it is, or else, if the caller accepts that, by copying it together. */
final class LinearRequest {
  private static final Set<Reason> NO_ROOM = EnumSet.of(Reason.BOUNCE_EXHAUSTED, Reason.BOUNCE_TOO_LARGE, Reason.QUOTA);

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
    String refusal = whyNotAsItIs(source, flags, policy);
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

  /** Map the ranges one by one; returns what keeps them from being one range, or nothing. Bounced one by one they may find no room where together they do. */
  private @Nullable String whyNotAsItIs(PhysRanges source, int flags, LinearPolicy policy) {
    try {
      return request.mapLinear(source, flags, sink);
    } catch (DmaMappingException e) {
      if (policy == LinearPolicy.IN_PLACE || !NO_ROOM.contains(e.reason())) {
        throw e;
      }
      return "bounced one by one they find no room";
    }
  }

  private DmaMappingException notLinear(String why, String remedy) {
    TransferPlan plan = request.plan();
    return new DmaMappingException(
        Reason.NOT_LINEAR,
        "%s: %d ranges of %s bytes cannot be one range: %s%s".formatted(handle.stack().device, plan.ranges(), Hex.of(plan.bytes()), why, remedy));
  }
}
