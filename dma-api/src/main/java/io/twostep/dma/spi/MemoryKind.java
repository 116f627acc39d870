package io.twostep.dma.spi;

/** What lies behind a physical address; derived by the mapper, never claimed by a caller. */
public enum MemoryKind {
  /** Ordinary memory of the machine. */
  RAM,
  /** A published range of a device's BAR. */
  PEER,
  /** Device registers or an unpublished BAR. */
  MMIO,
  /** Nothing. */
  ABSENT
}
