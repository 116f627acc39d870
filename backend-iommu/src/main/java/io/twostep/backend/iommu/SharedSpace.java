package io.twostep.backend.iommu;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;

/** What all devices of one address space share; lives as long as one of them is attached. */
abstract sealed class SharedSpace permits TableSpace, HostSpace {
  /** How many devices are attached; guarded by the backend. */
  int devices;

  /** Makes the ops of one more device; {@code detached} runs when they are closed. */
  abstract DmaOps attach(AttachContext context, Runnable detached);

  /** Returns what is held now. */
  abstract IommuStatistics statistics();

  /** Releases everything; called once no device is left. */
  abstract void close();
}
