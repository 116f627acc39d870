package io.twostep.examples.copy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.Timers;

/** Copies memory with a {@link CopyEngine}; for one thread at a time. */
public final class CopyDriver implements Driver {
  private static final long TIMEOUT_NANOS = 1_000_000_000L;

  private final DeviceSlot slot;
  private final Timers timers;
  private final Mmio registers;
  private final DmaMapper mapper;
  private final DmaTransfer source;
  private final DmaTransfer target;
  private final DmaRanges from = new DmaRanges();
  private final DmaRanges to = new DmaRanges();
  private volatile boolean interrupted;

  /** Whether the device has nothing to do, or is kept off the bus. */
  private boolean atRest = true;

  /** Bring the device up; it uses 48-bit addresses. */
  public CopyDriver(DriverContext context) {
    slot = context.slot();
    timers = context.timers();
    registers = slot.mmio(0);
    mapper = context.attach(DeviceLimits.ofBits(48));
    source = mapper.newTransfer();
    target = mapper.newTransfer();
    try {
      slot.interrupts().enable(0, () -> interrupted = true);
      slot.busMaster(true);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> slot.busMaster(false), () -> slot.interrupts().disable(0), mapper::close);
    }
  }

  /**
   * Copy a block over another of the same length.
   *
   * @throws IllegalStateException if the device reports a failure, does not answer and was reset, or could not be stopped before; or if another device's model fails in a pause, with this device reset
   * @throws DmaMappingException if a block cannot be mapped; DETACHED if the device does not answer and cannot be stopped: where nothing translates both blocks stay held then
   */
  public void copy(MemoryBlock original, MemoryBlock copy) {
    if (original.length() != copy.length()) {
      throw new IllegalArgumentException(slot.address() + ": cannot copy " + original.length() + " bytes over " + copy.length());
    }
    if (!atRest) {
      throw new IllegalStateException(slot.address() + ": cannot copy: the device could not be stopped; reset or remove it");
    }
    map(source, original, DmaDirection.TO_DEVICE, DmaAttributes.NONE, from);
    try {
      map(target, copy, DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE, to);
      try {
        copyRanges();
      } finally {
        giveBack(target);
      }
    } finally {
      giveBack(source);
    }
  }

  /** Memory goes back only when the device can reach it no more. */
  private void giveBack(DmaTransfer transfer) {
    if (isOutOfReach()) {
      transfer.unmap();
    }
  }

  /** Tell whether what is unmapped is out of the device's reach: it is at rest, or meets a fault. */
  private boolean isOutOfReach() {
    return atRest || mapper.limits().translates();
  }

  private void map(DmaTransfer transfer, MemoryBlock block, DmaDirection direction, int attributes, DmaRanges ranges) {
    ranges.clear();
    if (transfer.map(block.ranges(), direction, attributes, ranges) < 0) {
      throw new IllegalArgumentException(slot.address() + ": a block of " + block.length() + " bytes is in too many pieces; copy it in parts");
    }
  }

  /** Behind an IOMMU each side is one range; without one they may be many, and differ. */
  private void copyRanges() {
    while (from.remaining() != 0) {
      long length = Math.min(from.remaining(), to.remaining());
      start(from.take(length), to.take(length), length);
      await();
    }
  }

  private void start(long sourceAddress, long targetAddress, long length) {
    interrupted = false;
    registers.write64(CopyEngine.SOURCE, sourceAddress);
    registers.write64(CopyEngine.TARGET, targetAddress);
    registers.write64(CopyEngine.LENGTH, length);
    registers.write32(CopyEngine.DOORBELL, 1);
  }

  private void await() {
    long start = timers.nanoTime();
    int fruitless = 0;
    while (!interrupted) {
      if (timers.nanoTime() - start > TIMEOUT_NANOS) {
        stop();
        throw new IllegalStateException(slot.address() + ": the copy engine does not answer; it was reset");
      }
      pause(++fruitless);
    }
    int status = registers.read32(CopyEngine.STATUS);
    if (status != CopyEngine.DONE) {
      throw new IllegalStateException(slot.address() + ": the copy engine failed with status " + status);
    }
  }

  /** A pause that fails, by whatever device's model, leaves this device at work. */
  private void pause(int times) {
    try {
      timers.pause(times);
    } catch (RuntimeException e) {
      throw Closing.after(e, this::stop);
    }
  }

  private void stop() {
    cutOff();
    slot.reset();
    slot.busMaster(true);
  }

  private void cutOff() {
    atRest = false;
    slot.busMaster(false);
    atRest = true;
  }

  @Override
  public void quiesce() {}

  @Override
  public void resume() {}

  @Override
  public void close() {
    new Closing().then(this::cutOff).then(() -> slot.interrupts().disable(0)).then(this::letGo).end();
  }

  private void letGo() {
    if (!isOutOfReach()) {
      throw new DmaMappingException(Reason.QUARANTINED, slot.address() + ": cannot be shown to have stopped, so its memory is kept; reset or remove the device, and close the machine");
    }
    new Closing().then(source::close).then(target::close).then(mapper::close).end();
  }
}
