package io.twostep.backend.iommu;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.TerminalBackend;
import java.util.IdentityHashMap;

/**
 * Map behind an IOMMU: reserve I/O addresses, write translations, invalidate what was removed.
 *
 * <p>Devices of one address space share its allocator and its translations; the strictest member decides about trust and flushing, each device
 * about the highest address it is given. What is shared is made with the first device attached and released with the last. Thread-safe.
 */
public final class IommuBackend implements TerminalBackend {
  static final String NAME = "iommu";

  private final IommuConfig config;
  private final IdentityHashMap<AddressSpace, SharedSpace> spaces = new IdentityHashMap<>();
  private final OpenState open = new OpenState();
  private IommuStatistics closed = IommuStatistics.NONE;

  /** Create a backend without devices. */
  public IommuBackend(IommuConfig config) {
    this.config = config;
  }

  @Override
  public String name() {
    return NAME;
  }

  /** Return how the backend works. */
  public IommuConfig config() {
    return config;
  }

  /**
   * Attach a device.
   *
   * @throws DmaMappingException UNSUPPORTED if nothing translates for the device, or if no format, granule or address width fits it; TABLE_MEMORY if
   *     there is no memory for a root table; nothing stays attached then
   * @throws IllegalStateException if the backend is closed
   */
  @Override
  public DmaOps attach(AttachContext context) {
    synchronized (spaces) {
      open.requireOpen(this, context);
      if (context.space().translation() != Translation.TRANSLATED) {
        throw refused(context);
      }
      SharedSpace known = spaces.get(context.space());
      SharedSpace shared = known == null ? open(context) : known;
      try {
        DmaOps ops = shared.attach(context, () -> detach(context.space(), shared));
        shared.devices++;
        spaces.put(context.space(), shared);
        return ops;
      } finally {
        if (shared.devices == 0) {
          shared.close();
        }
      }
    }
  }

  private SharedSpace open(AttachContext context) {
    return switch (context.space().iommu()) {
      case TableWalkingIommu walking -> new TableSpace(context, config, walking);
      case HostManagedIommu managed -> new HostSpace(context, config, managed);
    };
  }

  private void detach(AddressSpace space, SharedSpace shared) {
    synchronized (spaces) {
      if (--shared.devices == 0) {
        spaces.remove(space);
        shared.close();
        IommuStatistics last = shared.statistics();
        closed = closed.plus(new IommuStatistics(0, 0, 0, 0, 0, last.flushes(), last.leaks(), last.tableWrites()));
      }
    }
  }

  private static DmaMappingException refused(AttachContext context) {
    AddressSpace space = context.space();
    return new DmaMappingException(
        Reason.UNSUPPORTED,
        context.device()
            + ": backend iommu cannot serve it: "
            + (space.translation() == Translation.BLOCKED
                ? "the IOMMU lets nothing of " + space.name() + " through; give the device a translated address space"
                : "no IOMMU translates for " + space.name() + "; use backend direct"));
  }

  /** Return what is held now. */
  public IommuStatistics statistics() {
    synchronized (spaces) {
      IommuStatistics sum = closed;
      for (SharedSpace shared : spaces.values()) {
        sum = sum.plus(shared.statistics());
      }
      return sum;
    }
  }

  /**
   * Check that every device is detached, and serve no more; may be repeated.
   *
   * @throws IllegalStateException if one is not; its stack must be closed first, and nothing has changed
   */
  @Override
  public void close() {
    synchronized (spaces) {
      if (!spaces.isEmpty()) {
        throw new IllegalStateException(
            "backend iommu still serves " + spaces.keySet().stream().map(AddressSpace::name).sorted().toList() + "; close their mappers and unmap what is still mapped first");
      }
      open.close();
    }
  }
}
