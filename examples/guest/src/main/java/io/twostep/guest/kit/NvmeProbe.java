package io.twostep.guest.kit;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.device.nvme.BioVector;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Settings;
import java.lang.foreign.MemorySegment;

/**
 * A controller that reads and writes where it is told: bytes go by way of its medium, between the address in question and a mailbox that is always mapped. Lists of ranges take any address and any length;
 * what is missing to a whole block comes from the mailbox.
 *
 * <p>Whether the IOMMU refused is what the emulator says, since a controller of this emulator completes such commands as if nothing had been.
 */
final class NvmeProbe implements BusMaster, AutoCloseable {
  private static final int BLOCK = 512;
  private static final int PIECE = 32 << 10;
  private static final NvmeConfig CONFIG =
      NvmeConfig.DEFAULT.withRequestMapper(new RawMapper()).withIoQueues(1).withQueueDepth(8).withCmbQueues(false).withMaxTransfer(2L * PIECE);

  private final DeviceSlot slot;
  private final FaultLog faults;
  private final DirectBackend direct = new DirectBackend();
  private final MemoryBlock mailbox;
  private final long mailboxAddress;
  private final NvmeController controller;
  private final NvmeNamespace namespace;
  private boolean master = true;

  NvmeProbe(LaneMachine machine, DeviceSlot slot, FaultLog faults) {
    this.slot = slot;
    this.faults = faults;
    AddressSpace space = machine.addressSpaceFor(slot);
    mailbox = machine.memory().allocate(2L * PIECE, MemoryPlacement.CONTIGUOUS);
    mailboxAddress = addressOf(space, mailbox.phys(0));
    controller =
        NvmeController.open(DriverContext.of(machine, slot, DmaStack.of(direct), Settings.defaults(new NvmeDriverPlugin())), CONFIG);
    namespace = controller.namespace(1);
  }

  private static long addressOf(AddressSpace space, long phys) {
    return space.offsetWindows().stream()
        .filter(window -> window.holdsPhys(phys, 2L * PIECE))
        .mapToLong((OffsetWindow window) -> phys - window.firstPhys() + window.firstDmaAddress())
        .findFirst()
        .orElseThrow();
  }

  DeviceSlot slot() {
    return slot;
  }

  /** Switch bus mastering; without it there is nobody who would carry out a command. */
  synchronized void busMaster(boolean enabled) {
    slot.busMaster(enabled);
    master = enabled;
  }

  /** Reset the function, and bring the controller up again when it may master the bus next. */
  synchronized void reset() {
    slot.reset();
    master = false;
    slot.busMaster(true);
    controller.reset();
    slot.busMaster(false);
  }

  @Override
  public synchronized int read(long dmaAddress, MemorySegment target, long offset, long length) {
    int status = master ? OK : NOT_MASTER;
    for (long done = 0; status == OK && done < length; done += PIECE) {
      int bytes = (int) Math.min(PIECE, length - done);
      long before = faults.position();
      toMedium(dmaAddress + done, bytes);
      status = faults.refusedSince(before, dmaAddress + done, bytes, false) ? UNSUPPORTED_REQUEST : OK;
      if (status == OK) {
        fromMedium(mailboxAddress, bytes);
        MemorySegment.copy(mailbox.segment(), 0, target, offset + done, bytes);
      }
    }
    return status;
  }

  @Override
  public synchronized int write(long dmaAddress, MemorySegment source, long offset, long length) {
    int status = master ? OK : NOT_MASTER;
    for (long done = 0; status == OK && done < length; done += PIECE) {
      int bytes = (int) Math.min(PIECE, length - done);
      MemorySegment.copy(source, offset + done, mailbox.segment(), 0, bytes);
      toMedium(mailboxAddress, bytes);
      long before = faults.position();
      fromMedium(dmaAddress + done, bytes);
      status = faults.refusedSince(before, dmaAddress + done, bytes, true) ? UNSUPPORTED_REQUEST : OK;
    }
    return status;
  }

  private void toMedium(long dmaAddress, int bytes) {
    BioVector data = wholeBlocks(dmaAddress, bytes);
    namespace.run(new NvmeBio().write(namespace, 0, data.bytes() / BLOCK, data));
  }

  private void fromMedium(long dmaAddress, int bytes) {
    BioVector data = wholeBlocks(dmaAddress, bytes);
    namespace.run(new NvmeBio().read(namespace, 0, data.bytes() / BLOCK, data));
  }

  /** Return a range and what is missing to whole blocks, the latter in a part of the mailbox that holds nothing else. */
  private BioVector wholeBlocks(long dmaAddress, int bytes) {
    BioVector data = new BioVector().add(dmaAddress, bytes);
    int missing = -bytes & BLOCK - 1;
    return missing == 0 ? data : data.add(mailboxAddress + PIECE, missing);
  }

  @Override
  public void close() {
    controller.close();
    direct.close();
    mailbox.close();
  }
}
