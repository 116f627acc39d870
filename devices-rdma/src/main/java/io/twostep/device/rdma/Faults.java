package io.twostep.device.rdma;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.dma.DmaMappingException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Serves faults from memory that can be faulted in, and turns what can become of them into what the adapter is told. */
final class Faults implements PageFaultHandler {
  private static final Logger LOG = LoggerFactory.getLogger(Faults.class);

  private final Memory memory;

  /** Memory whose pages can be brought in. */
  @FunctionalInterface
  interface Memory {
    /** Bring a range in, all of it, or throw. */
    void fault(long address, long length, FaultMode mode);
  }

  Faults(Memory memory) {
    this.memory = memory;
  }

  /** Bring in the run that the request will need; if not all of it can be had, half as much, and so on, and at the least what it waits for. */
  @Override
  public boolean fault(long address, long demanded, long length, boolean write) {
    FaultMode mode = write ? FaultMode.WRITE : FaultMode.READ;
    for (long run = length; run > demanded; run /= 2) {
      if (tryFault(address, run, mode)) {
        return true;
      }
    }
    return tryFault(address, demanded, mode);
  }

  private boolean tryFault(long address, long length, FaultMode mode) {
    try {
      memory.fault(address, length, mode);
      return true;
    } catch (PageFaultException | DmaMappingException | HcaException | IllegalStateException | IllegalArgumentException e) {
      LOG.debug("pages that the adapter asked for cannot be had", e);
      return false;
    }
  }
}
