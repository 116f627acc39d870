package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * One doorbell: the register, and the shadow word that spares most writes to it (Base 5.8, annex B.5). One thread at a time.
 *
 * <p>With a shadow, the new value is stored, a full fence keeps the load of the event index behind that store, and the register is
 * written only if the move passes the event index. Without the fence both sides could miss each other and sleep.
 */
public final class Doorbell {
  private final Mmio mmio;
  private final long register;

  private MemorySegment shadow = MemorySegment.NULL;
  private MemorySegment events = MemorySegment.NULL;
  private long shadowOffset;
  private boolean shadowed;
  private long writes;

  /** Create a doorbell whose register is at byte {@code register} of BAR 0. */
  public Doorbell(Mmio mmio, long register) {
    this.mmio = mmio;
    this.register = register;
  }

  /** Use the words at byte {@code offset} of both buffers from now on. */
  public void useShadow(MemorySegment shadowBuffer, MemorySegment eventBuffer, long offset) {
    shadow = shadowBuffer;
    events = eventBuffer;
    shadowOffset = offset;
    shadowed = true;
  }

  /** Use the register alone from now on. */
  public void useRegister() {
    shadowed = false;
    shadow = MemorySegment.NULL;
    events = MemorySegment.NULL;
  }

  /** Tell the controller that the index moved from {@code before} to {@code now}. */
  public void ring(int before, int now) {
    if (shadowed) {
      ShadowDoorbellLayout.WORD.setRelease(shadow, shadowOffset, now);
      VarHandle.fullFence();
      int event = ShadowDoorbellLayout.WORD.getAcquire(events, shadowOffset);
      if (!ShadowDoorbellLayout.passesEvent(event, now, before)) {
        return;
      }
    }
    writes++;
    mmio.write32(register, now);
  }

  /** Return how often the register was written. */
  public long writes() {
    return writes;
  }
}
