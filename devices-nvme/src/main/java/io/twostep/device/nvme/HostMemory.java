package io.twostep.device.nvme;

import io.twostep.dma.spi.PhysicalMemory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The host memory that a controller has on loan, if any, over its whole life. Under the controller's lifecycle lock. */
final class HostMemory implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeController.class);

  private final ControllerCore core;
  private final PhysicalMemory memory;
  private volatile @Nullable HostMemoryLoan loan;

  HostMemory(ControllerCore core, PhysicalMemory memory) {
    this.core = core;
    this.memory = memory;
  }

  /** Lend the controller the memory that it asks for; it must work without. */
  void lend(BringUp bringUp) {
    HostMemoryLoan offered = HostMemoryLoan.tryAllocate(core, memory);
    if (offered == null) {
      return;
    }
    loan = offered;
    if (!bringUp.tryLend(offered, false)) {
      LOG.warn("{}: the controller does not take the host memory that it asked for", core.name());
      close();
    }
  }

  /** Lend the same memory again, after a reset. */
  void lendAgain(BringUp bringUp) {
    HostMemoryLoan lent = loan;
    if (lent != null && !bringUp.tryLend(lent, true)) {
      LOG.warn("{}: the controller does not take its host memory back after the reset", core.name());
      close();
    }
  }

  /** Tell whether the controller has any. */
  boolean isLent() {
    return loan != null;
  }

  /** Return the bytes that the controller has. */
  long length() {
    HostMemoryLoan lent = loan;
    return lent == null ? 0 : lent.length();
  }

  /** Free it; the controller does not touch it any more. */
  @Override
  public void close() {
    HostMemoryLoan lent = loan;
    if (lent != null) {
      lent.close();
      loan = null;
    }
  }
}
