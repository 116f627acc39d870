package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What all devices of one address space share, its I/O addresses first of all; lives as long as one of them is attached. */
abstract sealed class SharedSpace permits TableSpace, HostSpace {
  /** More stripes than threads that work at once: those that took addresses and live on, as one that set up a driver does, keep a stripe from others for a while. */
  private static final int LEAST_STRIPES = 16;

  private static final Logger LOG = LoggerFactory.getLogger(SharedSpace.class);

  final String name;
  final boolean untrusted;
  final long granule;
  final long highestIova;

  /** The highest address that is tried first; all ones where none is preferred. */
  final long preferredIova;

  final IovaAllocator iova;

  /** How many devices are attached; guarded by the backend. */
  int devices;

  private long leaks;
  private boolean closed;

  /** Share the addresses from {@code lowestIova} to {@code highestIova}, but those that the machine reserves. */
  SharedSpace(AttachContext context, IommuConfig config, long granule, long lowestIova, long highestIova) {
    name = context.space().name();
    untrusted = context.untrusted();
    this.granule = granule;
    this.highestIova = highestIova;
    preferredIova = config.iova32BitFirst() ? (1L << 32) - 1 : -1L;
    iova = new IovaAllocator(aperture(context, granule, lowestIova, highestIova), Math.max(LEAST_STRIPES, 4 * Runtime.getRuntime().availableProcessors()));
    context.space().reserved().forEach(this::reserve);
  }

  private static IovaSpace aperture(AttachContext context, long granule, long lowestIova, long highestIova) {
    try {
      return new IovaSpace(context.space().name(), granule, lowestIova, highestIova);
    } catch (IllegalArgumentException e) {
      throw new DmaMappingException(Reason.UNSUPPORTED, context.device() + ": " + e.getMessage() + "; choose a smaller granule", e);
    }
  }

  /** Keep a range from ever being handed out; only before any is. */
  final void reserve(AddressRange range) {
    if (!iova.tryReserve(range.first(), range.last())) {
      throw new IllegalStateException(name + ": cannot keep " + range + " out of a fresh allocator");
    }
  }

  /** Make the ops of one more device; {@code detached} runs when they are closed. */
  abstract DmaOps attach(AttachContext context, Runnable detached);

  /** Return what is held now. */
  abstract IommuStatistics statistics();

  /** Release everything; called once no device is left. */
  abstract void close();

  /** Count the ranges that nobody gave back, and say so. */
  final void countLeaks() {
    closed = true;
    leaks = iova.statistics().liveRanges();
    if (leaks != 0) {
      LOG.warn("{}: {} ranges of I/O addresses were never given back", name, leaks);
    }
  }

  /** Return 1 until it is closed. */
  final int open() {
    return closed ? 0 : 1;
  }

  /** Return how many ranges were never given back; 0 until it is closed. */
  final long leaks() {
    return leaks;
  }

  static long lower(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? a : b;
  }
}
