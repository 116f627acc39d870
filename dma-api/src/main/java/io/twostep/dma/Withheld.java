package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Revocable;

/**
 * What a device may still reach because its translations could not be proved gone, as the owner of the memory sees it.
 *
 * <p>Its driver did let go, so the device is not stopped at the deadline, and the memory not free: only a reset proves that the device is away.
 */
final class Withheld implements RevocableHolder {
  private final DmaMapper mapper;

  Withheld(DmaMapper mapper) {
    this.mapper = mapper;
  }

  @Override
  public boolean add(Revocable memory, long pins) {
    memory.addAnyway(this);
    return true;
  }

  @Override
  public void remove(Revocable memory, long pins) {
    memory.remove(this);
  }

  @Override
  public DmaMapper mapper() {
    return mapper;
  }

  @Override
  public DeviceSlot device() {
    return mapper.slot();
  }

  @Override
  public void revoked(Revocable memory) {
    // What could be done was done, and failed.
  }

  @Override
  public void stop() {
    throw new DmaMappingException(
        Reason.QUARANTINED,
        device().address() + ": translations could not be proved gone; reset the device and call releaseQuarantined()");
  }
}
