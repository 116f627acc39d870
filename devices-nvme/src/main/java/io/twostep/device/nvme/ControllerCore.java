package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Registers;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CstsLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Timers;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What all parts of one controller's driver share. */
final class ControllerCore {
  /** Why a controller that is broken is reset. */
  static final String BROKEN = "it reports a fatal status, is no longer ready, or is gone";

  private static final Logger LOG = LoggerFactory.getLogger(ControllerCore.class);
  private static final int SMALLEST_PAGE_SHIFT = 12;
  private static final long SMALLEST_TRANSFER = 4096;

  private final Machine machine;
  private final DeviceSlot slot;
  private final String name;
  private final NvmeConfig config;
  private final Timers timers;
  private final DmaMapper mapper;
  private final Registers registers;
  private final AdminQueue admin;
  private final int pageSize;
  private final int doorbellStride;
  private final int maxQueueEntries;

  private volatile @Nullable ControllerFacts facts;
  private volatile CommandLimits limits = CommandLimits.unknown(SMALLEST_TRANSFER);
  private volatile @Nullable ControllerMemoryBuffer memoryBuffer;
  private volatile @Nullable String resetReason;
  private volatile Runnable service = () -> {};

  /** Why the controller could not be shown to master the bus no more; null if it could, or was not to be. */
  private volatile @Nullable DmaMappingException stillMaster;

  ControllerCore(DriverContext context, DmaMapper mapper, Registers registers, NvmeConfig config) {
    machine = context.machine();
    slot = context.slot();
    name = "nvme " + slot.address();
    this.config = config;
    timers = context.timers();
    this.mapper = mapper;
    this.registers = registers;
    long cap = registers.cap();
    doorbellStride = (int) CapLayout.DSTRD.get(cap);
    long doorbells = DoorbellLayout.BASE + DoorbellLayout.length(0, doorbellStride);
    if (doorbells > registers.mmio().length()) {
      throw NvmeException.ofController(
          name,
          NvmeErrorKind.PROTOCOL,
          "the controller says that its first doorbells end at 0x" + Long.toHexString(doorbells) + " of a BAR of 0x" + Long.toHexString(registers.mmio().length()));
    }
    pageSize = pageSize(cap, config.pageSize());
    maxQueueEntries = (int) CapLayout.MQES.get(cap) + 1;
    if (maxQueueEntries == 1) {
      throw NvmeException.ofController(name, NvmeErrorKind.PROTOCOL, "the controller says that its queues have one entry (CAP.MQES 0); they have two at least");
    }
    admin = new AdminQueue(name, registers, timers, mapper, config.adminTimeoutNanos(), doorbellStride, pageSize);
  }

  /** Return the page nearest to the one wanted that the controller has. */
  static int pageSize(long cap, long wanted) {
    int shift = Long.numberOfTrailingZeros(wanted);
    int smallest = SMALLEST_PAGE_SHIFT + (int) CapLayout.MPSMIN.get(cap);
    int largest = SMALLEST_PAGE_SHIFT + (int) CapLayout.MPSMAX.get(cap);
    return 1 << Math.max(smallest, Math.min(shift, largest));
  }

  Machine machine() {
    return machine;
  }

  DeviceSlot slot() {
    return slot;
  }

  /** Cut the controller off the bus. That it cannot be shown to be is no reason to leave what waits for it waiting: {@link #requireCutOff} says so before memory goes. */
  void cutOff() {
    try {
      slot.busMaster(false);
      stillMaster = null;
    } catch (DmaMappingException e) {
      LOG.warn("{}: cannot be cut off the bus: {}", name, e.getMessage());
      stillMaster = e;
    }
  }

  /**
   * Check that the controller was shown to master the bus no more, trying again if it was not.
   *
   * @throws DmaMappingException QUARANTINED if it may still reach memory
   */
  void requireCutOff() {
    if (stillMaster != null) {
      cutOff();
    }
    DmaMappingException why = stillMaster;
    if (why != null) {
      throw new DmaMappingException(
          Reason.QUARANTINED, name + ": cannot be shown to have stopped, so its memory is kept; reset or remove the device, and close the machine", why);
    }
  }

  String name() {
    return name;
  }

  NvmeConfig config() {
    return config;
  }

  Timers timers() {
    return timers;
  }

  DmaMapper mapper() {
    return mapper;
  }

  Registers registers() {
    return registers;
  }

  AdminQueue admin() {
    return admin;
  }

  int pageSize() {
    return pageSize;
  }

  int doorbellStride() {
    return doorbellStride;
  }

  int maxQueueEntries() {
    return maxQueueEntries;
  }

  ControllerFacts facts() {
    ControllerFacts known = facts;
    if (known == null) {
      throw new IllegalStateException(name + ": not identified yet");
    }
    return known;
  }

  void facts(ControllerFacts known) {
    facts = known;
  }

  CommandLimits limits() {
    return limits;
  }

  void limits(CommandLimits known) {
    limits = known;
  }

  @Nullable ControllerMemoryBuffer memoryBuffer() {
    return memoryBuffer;
  }

  void memoryBuffer(@Nullable ControllerMemoryBuffer found) {
    memoryBuffer = found;
  }

  long retryDelayNanos(int code) {
    return facts().retryDelayNanos(code);
  }

  boolean tryAbort(int queueId, int commandId) {
    return admin.tryAbort(queueId, commandId, facts().abortLimit());
  }

  /** Tell whether only a reset can help a controller that was live: it says so, lost power or its readiness, or is gone. */
  boolean isBroken() {
    int csts = registers.csts();
    return csts == RegisterLayout.GONE || CstsLayout.CFS.isSet(csts) || CstsLayout.NSSRO.isSet(csts) || !CstsLayout.RDY.isSet(csts);
  }

  /** Want a reset if the controller is broken; returns whether it is. Whoever resets looks again, for a reset may have been under way. */
  boolean wantResetIfBroken() {
    if (!isBroken()) {
      return false;
    }
    wantReset(BROKEN);
    return true;
  }

  /** Ask whoever calls the driver next to reset the controller. */
  void wantReset(String reason) {
    resetReason = reason;
  }

  @Nullable String resetReason() {
    return resetReason;
  }

  void resetDone() {
    resetReason = null;
  }

  void serviceBy(Runnable how) {
    service = how;
  }

  /** Do what is not any queue's: events, resets. Must not be called inside a guard or on the machine's thread. */
  void service() {
    service.run();
  }

  NvmeException gone() {
    return NvmeException.ofController(
        name, NvmeErrorKind.GONE, "the controller is closed, dead or pulled out; open it again to go on");
  }

  DmaMappingException noListMemory() {
    return new DmaMappingException(
        Reason.NOT_BACKED, name + ": no coherent memory for descriptor lists; free memory or use smaller requests");
  }
}
