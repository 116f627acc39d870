package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.Machine;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One attached device's way to memory: makes mappings, linear mappings, reservations, transfers, windows and coherent buffers.
 *
 * <p>Made by {@link DmaStack#attach}. Thread-safe; the handles it makes are used by one thread at a time.
 *
 * <pre>{@code
 * DmaStack stack = DmaStack.of(iommuBackend);
 * try (DmaMapper mapper = stack.attach(machine, "0000:01:00.0", DeviceLimits.ofBits(48));
 *     MemoryBlock block = machine.memory().allocate(65536, MemoryPlacement.SCATTERED);
 *     DmaMapping mapping = mapper.map(block.segment(), DmaDirection.FROM_DEVICE, DmaAttributes.NONE)) {
 *   startDevice(mapping.dmaAddress(), mapping.length());
 *   waitForDevice();
 *   mapping.syncForCpu(0, mapping.length());
 *   read(block.segment());
 * }
 * }</pre>
 *
 * <p>After {@link #detach} every request throws {@link DmaMappingException} DETACHED; teardown of what is mapped stays legal.
 */
public final class DmaMapper implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DmaMapper.class);

  private static final VarHandle DETACHED;

  static {
    try {
      DETACHED = MethodHandles.lookup().findVarHandle(DmaMapper.class, "detached", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Machine machine;
  private final DeviceSlot slot;
  private final DeviceLimits deviceLimits;
  private final HandleRegistry handles = new HandleRegistry();
  private final Quarantine quarantine = new Quarantine();
  private final DirtyTracking tracking = new DirtyTracking(this);
  private final List<AttachedStack> earlierStacks = new ArrayList<>();
  private volatile AttachedStack stack;
  private volatile boolean detached;
  private volatile boolean closed;

  DmaMapper(Machine machine, DeviceSlot slot, DeviceLimits limits, AttachedStack stack) {
    this.machine = machine;
    this.slot = slot;
    this.deviceLimits = limits;
    this.stack = stack;
  }

  /**
   * Map a physical range; the handle it returns is closed to unmap it.
   *
   * @param phys first byte, memory of this machine
   * @param length bytes, positive
   * @param attributes {@link DmaAttributes}
   * @throws DmaMappingException if the range cannot be mapped for this device; nothing is mapped then
   * @throws IllegalArgumentException for length 0, a range that wraps, or unknown attributes
   */
  public DmaMapping map(long phys, long length, DmaDirection direction, int attributes) {
    DmaMapping mapping = newMapping();
    try {
      return mapping.map(phys, length, direction, attributes);
    } catch (RuntimeException e) {
      mapping.close();
      throw e;
    }
  }

  /**
   * Map any segment: in place if it is this machine's memory, by a bounce layer if it is not.
   *
   * <p>The segment is kept reachable until unmap. A foreign segment must stay open until then, or until the batch of the unmap completes.
   *
   * @throws IllegalArgumentException for an empty segment, a read-only one that the device would write, or unknown attributes
   * @throws IllegalStateException for a foreign segment that is closed, or confined to another thread
   * @throws DmaMappingException NOT_BACKED for foreign memory without a layer that bounces; NOT_LINEAR for machine memory that no one DMA range
   *     can cover on this stack: use a transfer
   */
  public DmaMapping map(MemorySegment segment, DmaDirection direction, int attributes) {
    DmaMapping mapping = newMapping();
    try {
      return mapping.map(segment, direction, attributes);
    } catch (RuntimeException e) {
      mapping.close();
      throw e;
    }
  }

  /**
   * Make an idle mapping handle, to be mapped and unmapped any number of times; close it at the end.
   *
   * @throws DmaMappingException DETACHED after {@link #detach}, as all that makes handles
   */
  public DmaMapping newMapping() {
    return new DmaMapping(this);
  }

  /** Make an idle handle that maps several ranges as exactly one range for the device, or not at all. */
  public LinearMapping newLinear() {
    return new LinearMapping(this);
  }

  /** Make an idle reservation handle. */
  public IovaReservation newReservation() {
    return new IovaReservation(this);
  }

  /** Make an idle transfer handle. */
  public DmaTransfer newTransfer() {
    return new DmaTransfer(this);
  }

  /**
   * Make a long-lived window whose pages come and go.
   *
   * @param length bytes, a multiple of {@code unit}
   * @param unit the piece that is linked and unlinked, bytes, a power of two not below the granule
   * @param direction the widest access any page of it may have
   * @throws IllegalArgumentException for a length or unit that is not so, or unknown attributes
   * @throws DmaMappingException UNSUPPORTED if pages would have to be bounced; IOVA_EXHAUSTED if there is no room
   */
  public SparseWindow newWindow(long length, long unit, DmaDirection direction, int attributes) {
    SparseWindow window = new SparseWindow(this);
    try {
      window.open(length, unit, direction, attributes);
      return window;
    } catch (RuntimeException e) {
      window.close();
      throw e;
    }
  }

  /**
   * Allocate memory that device and CPU see alike without sync: zeroed, naturally aligned for both, in granules of its own.
   *
   * @param size bytes, positive
   * @return a buffer that is the caller's to close, once the device is done with it
   * @throws IllegalArgumentException unless the size is positive
   * @throws DmaMappingException NOT_BACKED or OUT_OF_REACH if no memory is left that the device reaches, IOVA_EXHAUSTED, TABLE_MEMORY, COHERENCE_REQUIRED if this stack has no
   *     memory that needs no sync, or DETACHED; nothing is taken then
   */
  public DmaBuffer allocateCoherent(long size) {
    return DmaBuffer.allocate(this, size);
  }

  /**
   * Make a pool of small coherent elements, such as descriptor lists.
   *
   * @param elementSize bytes of one element, positive, at most 2^40
   * @param alignment alignment of each, a power of two, at most 2^40; elements never cross a page of 4 KiB unless larger
   * @return a pool that is the caller's to close; it takes memory when elements are taken
   * @throws IllegalArgumentException for a size or an alignment that is not so
   */
  public DmaPool newPool(long elementSize, long alignment) {
    return new DmaPool(this, elementSize, alignment);
  }

  /** Make a batch that lets many teardowns share one invalidation, of this mapper or others of its address space; used by one thread at a time. */
  public InvalidationBatch newBatch() {
    return new InvalidationBatch(quarantine);
  }

  /** Complete every invalidation that was deferred; when this returns no unmapped memory is reachable by this device. */
  public synchronized void awaitQuiescence() {
    for (AttachedStack earlier : earlierStacks) {
      quiesce(earlier);
    }
    quiesce(stack);
  }

  private static void quiesce(AttachedStack stack) {
    if (stack.tryHold()) {
      try {
        stack.ops.quiesce();
      } finally {
        stack.letGo();
      }
    }
  }

  /**
   * Return what tells which pages the device wrote.
   *
   * @return the same object every time, idle until it is started
   * @throws DmaMappingException UNSUPPORTED where the stack cannot track; {@link DmaLimits#dirtyTracking} says so beforehand
   */
  public DirtyTracking dirtyTracking() {
    AttachedStack now = stack;
    if (now.ops.dirtyTracker() == null) {
      throw DirtyTracking.unsupported(now);
    }
    return tracking;
  }

  /** Return what the device may expect of its mappings. */
  public DmaLimits limits() {
    AttachedStack now = stack;
    DmaOps ops = now.ops;
    long lastFrame = now.memory.highestAddress() & -now.memory.frameSize();
    return new DmaLimits(
        now.granule,
        now.unit,
        now.translates,
        slot.coherent(),
        ops.maxMappingLength(),
        ops.optimalMappingLength(),
        now.translates ? now.alignMask : 0,
        deviceLimits,
        ops.dirtyTracker() != null,
        !ops.reaches(lastFrame, now.memory.frameSize()));
  }

  /**
   * Publish a part of this device's own BAR for other devices to use; as {@link PeerMemory#publish}.
   *
   * @throws DmaMappingException DETACHED after {@link #detach}
   */
  public PeerMemory publish(int bar, long offset, long length) {
    requireAttached();
    return PeerMemory.publish(machine, slot, bar, offset, length);
  }

  /** Keep the device from reaching anything: it did not let go of what was taken back. */
  void stopDevice() {
    detach();
    try {
      slot.busMaster(false);
    } catch (RuntimeException e) {
      resetInstead(e);
    }
    LOG.warn("{}: stopped, because it held on to memory that was taken back", slot.address());
  }

  private void resetInstead(RuntimeException cause) {
    try {
      slot.reset();
    } catch (RuntimeException e) {
      e.addSuppressed(cause);
      throw e;
    }
  }

  /** Return the device. */
  public DeviceSlot slot() {
    return slot;
  }

  /** Return how many handles and coherent buffers hold something now. */
  public int liveMappings() {
    return handles.live();
  }

  /** Return how many teardowns could not be confirmed, so that their memory and I/O addresses are kept out of circulation. */
  public int quarantined() {
    return quarantine.count();
  }

  /**
   * Try again to take down and release what is quarantined; call it once the device has been reset, or is gone. Allowed after detach and close.
   *
   * <p>Nothing goes on the caller's word: everything is invalidated or unmapped anew, and what hardware or host does not confirm remains. So a call without a reset is harmless, and mostly in vain.
   *
   * @return how many remain
   */
  public int releaseQuarantined() {
    return quarantine.release();
  }

  /**
   * Serve later mappings through another stack; live mappings keep theirs.
   *
   * @throws DmaMappingException DETACHED after {@link #detach}, UNSUPPORTED if writes through it would escape the {@link #dirtyTracking} that is on, or as
   *     {@link DmaStack#attach} does; the stack is unchanged then
   */
  public synchronized void restack(DmaStack other) {
    requireAttached();
    AttachedStack next = other.compose(machine, slot, deviceLimits);
    try {
      tracking.requireSeen(next);
    } catch (DmaMappingException e) {
      next.end();
      throw e;
    }
    AttachedStack previous = stack;
    stack = next;
    earlierStacks.removeIf(AttachedStack::isClosed);
    earlierStacks.add(previous);
    previous.end();
  }

  /**
   * Refuse everything but teardown from now on, for example because the device is gone. May be repeated.
   *
   * @return how many handles still hold something
   */
  public synchronized int detach() {
    detached = true;
    return handles.live();
  }

  /**
   * Detach, and let go of the stack as soon as no handle holds anything. Idle handles need not be closed first; whatever they are asked later is DETACHED.
   * Handles that still hold something are counted and logged; their teardown stays legal and lets go of the stack. A handle that another thread uses
   * during this call may keep the stack until that handle is closed. May be repeated.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    int live = detach();
    for (AttachedStack earlier : earlierStacks) {
      tellClosed(earlier);
    }
    tellClosed(stack);
    if (live != 0) {
      LOG.warn("{}: closed with {} live mappings; their memory stays held until they are torn down", slot.address(), live);
    }
    if (quarantine.count() != 0) {
      LOG.warn("{}: closed with {} quarantined; reset the device and call releaseQuarantined()", slot.address(), quarantine.count());
    }
    new Closing().then(tracking::stop).then(handles::orphanIdle).then(stack::end).end();
  }

  private static void tellClosed(AttachedStack stack) {
    if (stack.tryHold()) {
      try {
        stack.ops.mapperClosed();
      } finally {
        stack.letGo();
      }
    }
  }

  /** Tell whether the mapper was closed. */
  public boolean isClosed() {
    return closed;
  }

  Machine machine() {
    return machine;
  }

  AttachedStack currentStack() {
    return stack;
  }

  /** Tell whether the device was detached, now or soon after: who works at the same time as {@link #detach} may be either. */
  boolean isDetached() {
    return (boolean) DETACHED.getOpaque(this);
  }

  private void requireAttached() {
    if (detached) {
      throw detachedException();
    }
  }

  DmaMappingException detachedException() {
    return new DmaMappingException(
        Reason.DETACHED,
        slot.address()
            + (closed
                ? ": this mapper was closed; what is still mapped can only be torn down: attach the device anew"
                : ": the device is detached; what is still mapped can only be torn down"));
  }

  /** Return the stack, held for the caller. */
  AttachedStack holdStack() {
    while (true) {
      requireAttached();
      AttachedStack now = stack;
      if (now.tryHold()) {
        return now;
      }
    }
  }

  HandleRegistry handles() {
    return handles;
  }

  Quarantine quarantine() {
    return quarantine;
  }

  DeviceLimits deviceLimits() {
    return deviceLimits;
  }
}
