package io.twostep.backend.direct;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.TerminalBackend;

/**
 * Map without translation, for trusted devices in address spaces that pass addresses through.
 *
 * <p>Holds nothing: every fact comes from the device, its address space and the machine at attach. Thread-safe.
 */
public final class DirectBackend implements TerminalBackend {
  static final String NAME = "direct";

  private final OpenState open = new OpenState();

  /** Create the backend. */
  public DirectBackend() {}

  @Override
  public String name() {
    return NAME;
  }

  /**
   * Attach a device.
   *
   * @throws DmaMappingException UNSUPPORTED if the device is untrusted, or if an IOMMU translates or blocks its accesses
   * @throws IllegalArgumentException if offset windows overlap or wrap around
   * @throws IllegalStateException if the backend is closed
   */
  @Override
  public DmaOps attach(AttachContext context) {
    open.requireOpen(this, context);
    Translation translation = context.space().translation();
    if (translation == Translation.TRANSLATED) {
      throw refused(context, "an IOMMU translates for " + context.space().name() + "; use backend iommu, or set the slot's translation to none");
    }
    if (translation == Translation.BLOCKED) {
      throw refused(
          context, "the IOMMU lets nothing of " + context.space().name() + " through; give the device a translated or an identity address space");
    }
    if (context.untrusted()) {
      throw refused(
          context,
          context.space().name() + " has an untrusted device, which gets translation or nothing; put it behind an IOMMU and use backend iommu");
    }
    return new DirectOps(context);
  }

  private static DmaMappingException refused(AttachContext context, String why) {
    return new DmaMappingException(Reason.UNSUPPORTED, context.device() + ": backend direct cannot serve it: " + why);
  }

  /** Serve no more; may be repeated. The backend holds nothing that could be left behind. */
  @Override
  public void close() {
    open.close();
  }
}
