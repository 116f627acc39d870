package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.dma.DmaMappingException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns what can become of a fault into what the adapter is told. */
final class Faults {
  private static final Logger LOG = LoggerFactory.getLogger(Faults.class);

  private Faults() {}

  /** Serve a fault; false if the page cannot be had, for the reason that is logged. */
  static boolean tryFault(Runnable fault) {
    try {
      fault.run();
      return true;
    } catch (PageFaultException | DmaMappingException | IllegalStateException e) {
      LOG.debug("a page that the adapter asked for cannot be had", e);
      return false;
    }
  }
}
