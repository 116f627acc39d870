package io.twostep.device.nvme;

import io.twostep.dma.spi.PhysicalMemory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host memory that a controller has on loan, if any, over its whole life. Under the controller's lifecycle lock.
 *
 * <p>What a controller was told of is freed once it was stopped, whatever it answered: a status that refuses says that nothing changed, and a controller that is hostile, or thinks that it still has what it had
 * before its reset, goes on using it.
 */
final class HostMemory implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeController.class);

  private final ControllerCore core;
  private final PhysicalMemory memory;
  private volatile @Nullable HostMemoryLoan loan;

  /** Whether the controller took the loan. */
  private volatile boolean lent;

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
    lent = bringUp.tryLend(offered, false);
    if (!lent) {
      LOG.warn("{}: the controller does not take the host memory that it asked for", core.name());
    }
  }

  /** Lend the same memory again, after a reset, to a controller that took it before; free what it refused. */
  void lendAgain(BringUp bringUp) {
    HostMemoryLoan same = loan;
    if (same == null) {
      return;
    }
    if (!lent) {
      close();
      return;
    }
    lent = bringUp.tryLend(same, true);
    if (!lent) {
      LOG.warn("{}: the controller does not take its host memory back after the reset", core.name());
    }
  }

  /** Tell whether the controller has any. */
  boolean isLent() {
    return lent;
  }

  /** Return the bytes that the controller has. */
  long length() {
    HostMemoryLoan had = loan;
    return had == null || !lent ? 0 : had.length();
  }

  /** Free it; the controller does not touch it any more. */
  @Override
  public void close() {
    HostMemoryLoan had = loan;
    if (had != null) {
      lent = false;
      had.close();
      loan = null;
    }
  }
}
