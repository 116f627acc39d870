package io.twostep.backend.debug;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.tck.ForwardingSlot;

/** A slot whose device is not trusted, in the place of one that is. */
final class Untrusted extends ForwardingSlot {
  Untrusted(DeviceSlot real) {
    super(real);
  }

  @Override
  public boolean trusted() {
    return false;
  }
}
