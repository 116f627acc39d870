package com.example.aperture;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.TerminalBackend;
import java.util.HashMap;
import java.util.Map;

/** A terminal that translates through one aperture for each address space. Thread-safe. */
public final class ApertureBackend implements TerminalBackend {
  private final long size;
  private final Map<AddressSpace, Aperture> apertures = new HashMap<>();
  private final OpenState open = new OpenState();

  ApertureBackend(long size) {
    this.size = size;
  }

  @Override
  public String name() {
    return AperturePlugin.NAME;
  }

  @Override
  public DmaOps attach(AttachContext context) {
    synchronized (apertures) {
      open.requireOpen(this, context);
      if (context.space().translation() != Translation.TRANSLATED || !(context.space().iommu() instanceof TableWalkingIommu iommu)) {
        throw refused(context, "nothing translates for it through tables that a backend writes; use backend direct");
      }
      if (!context.slot().coherent()) {
        throw refused(context, "it does not see CPU caches; use backend iommu");
      }
      Aperture aperture = apertures.get(context.space());
      if (aperture == null) {
        aperture = Aperture.create(context, iommu, size);
        apertures.put(context.space(), aperture);
      }
      aperture.users++;
      return new ApertureOps(context, aperture, () -> detach(context.space()));
    }
  }

  private void detach(AddressSpace space) {
    synchronized (apertures) {
      Aperture aperture = apertures.get(space);
      if (--aperture.users == 0) {
        apertures.remove(space);
        aperture.close();
      }
    }
  }

  static DmaMappingException refused(AttachContext context, String why) {
    return new DmaMappingException(Reason.UNSUPPORTED, context.device() + ": backend aperture cannot serve it: " + why);
  }

  @Override
  public void close() {
    synchronized (apertures) {
      if (!apertures.isEmpty()) {
        throw new IllegalStateException("backend aperture still serves " + apertures.size() + " address spaces; close their mappers first");
      }
      open.close();
    }
  }
}
