package com.example.aperture;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.OpenState;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/** A layer that limits what a device holds; counts by slot, since a device may be attached more than once. Thread-safe. */
public final class QuotaLayer implements LayerBackend {
  private final long most;
  private final OpenState open = new OpenState();
  private final ConcurrentMap<DeviceSlot, AtomicLong> held = new ConcurrentHashMap<>();

  QuotaLayer(long most) {
    this.most = most;
  }

  @Override
  public String name() {
    return QuotaPlugin.NAME;
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    open.requireOpen(this, context);
    return new QuotaOps(next, context, held.computeIfAbsent(context.slot(), slot -> new AtomicLong()), most);
  }

  /**
   * Check that everything was given back.
   *
   * @throws IllegalStateException if a device still holds something
   */
  @Override
  public void close() {
    held.forEach(
        (slot, bytes) -> {
          if (bytes.get() != 0) {
            throw new IllegalStateException(slot.address() + " still holds " + bytes + " bytes of its quota");
          }
        });
    open.close();
  }
}
