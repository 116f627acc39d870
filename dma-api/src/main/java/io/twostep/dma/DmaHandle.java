package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * What all handles share: the states IDLE, ACTIVE and CLOSED, changed by compare-and-set so that a second teardown or a second thread is always
 * caught, the stack that made the mapping, and the checks that every request passes before it goes down.
 */
abstract sealed class DmaHandle implements AutoCloseable
    permits DmaMapping, IovaReservation, DmaTransfer, SparseWindow {
  private static final int IDLE = 0;
  private static final int ACTIVE = 1;
  private static final int BUSY = 2;
  private static final int CLOSED = 3;
  private static final String[] NAMES = {"idle", "mapped", "in use by another call", "closed"};

  private static final VarHandle PHASE;

  static {
    try {
      PHASE = MethodHandles.lookup().findVarHandle(DmaHandle.class, "phase", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final DmaMapper mapper;
  private final RegionPins pins = new RegionPins();
  private final Retirement own = new Retirement();

  @SuppressWarnings("unused") // written through PHASE
  private int phase;

  private AttachedStack stack;
  private MappingState state;

  DmaHandle(DmaMapper mapper) {
    this.mapper = mapper;
    this.stack = mapper.holdStack();
    this.state = new MappingState(stack.layers);
    mapper.handles().add(this);
  }

  final DmaMapper mapper() {
    return mapper;
  }

  final AttachedStack stack() {
    return stack;
  }

  final MappingState state() {
    return state;
  }

  final RegionPins pins() {
    return pins;
  }

  /** The handle's own retirement: what its failing calls must undo, and its teardowns without a batch. */
  final Retirement own() {
    return own;
  }

  final boolean holdsSomething() {
    int now = (int) PHASE.getAcquire(this);
    return now == ACTIVE || now == BUSY;
  }

  /** Claim the idle handle for a request; it must end in {@link #activate} or {@link #abandon}. */
  final void claim() {
    if (!PHASE.compareAndSet(this, IDLE, BUSY)) {
      throw wrongPhase("idle");
    }
    if (stack.isDetached() || mapper.currentStack() != stack) {
      rebindOrAbandon();
    }
    state.reset();
  }

  private void rebindOrAbandon() {
    try {
      stack.requireAttached();
      AttachedStack next = mapper.holdStack();
      stack.letGo();
      stack = next;
      state = new MappingState(next.layers);
    } catch (RuntimeException e) {
      PHASE.setRelease(this, IDLE);
      throw e;
    }
  }

  final void activate() {
    PHASE.setRelease(this, ACTIVE);
  }

  /** Return a claimed handle to idle after a failure: undo what the stack registered, and let go of memory. */
  final void abandon() {
    try {
      own.complete();
      pins.releaseAll();
    } catch (DmaMappingException e) {
      mapper.handles().addQuarantined(1);
      pins.keepForever();
    } finally {
      PHASE.setRelease(this, IDLE);
    }
  }

  /** Claim the active handle for teardown; it must end in {@link #finishTeardown}. */
  final void claimTeardown() {
    if (!PHASE.compareAndSet(this, ACTIVE, BUSY)) {
      throw wrongPhase("mapped");
    }
  }

  /** End a teardown that was registered with {@code batch}, or with {@link #own} if there is none, and go idle. */
  final void finishTeardown(@Nullable InvalidationBatch batch) {
    try {
      if (batch != null) {
        pins.moveTo(batch);
      } else {
        completeOwn();
        pins.releaseAll();
      }
    } catch (DmaMappingException e) {
      pins.keepForever();
      throw e;
    } finally {
      PHASE.setRelease(this, IDLE);
    }
  }

  /** Complete the handle's own retirement now. */
  final void completeOwn() {
    try {
      own.complete();
    } catch (DmaMappingException e) {
      mapper.handles().addQuarantined(1);
      throw e;
    }
  }

  final Retirement retirementOf(@Nullable InvalidationBatch batch) {
    return batch == null ? own : batch.retirement();
  }

  final void requireActive() {
    if ((int) PHASE.getOpaque(this) != ACTIVE) {
      throw wrongPhase("mapped");
    }
  }

  final void requireIdle() {
    if ((int) PHASE.getOpaque(this) != IDLE) {
      throw wrongPhase("idle");
    }
  }

  /** As {@link #requireActive}, for calls that are not teardown and so need the device. */
  final void requireAttachedActive() {
    requireActive();
    stack.requireAttached();
  }

  private IllegalStateException wrongPhase(String wanted) {
    int now = (int) PHASE.getAcquire(this);
    return new IllegalStateException(
        stack.device + ": this " + getClass().getSimpleName() + " is " + NAMES[now] + "; the call needs it " + wanted);
  }

  /** End the handle for good, tearing down what it holds; may be repeated. */
  @Override
  public final void close() {
    int now = (int) PHASE.getAcquire(this);
    if (now == CLOSED) {
      return;
    }
    try {
      if (now == ACTIVE) {
        tearDown();
      }
    } finally {
      end();
    }
  }

  private void end() {
    if (!PHASE.compareAndSet(this, IDLE, CLOSED)) {
      throw wrongPhase("idle or mapped");
    }
    mapper.handles().remove(this);
    stack.letGo();
  }

  /** Undo everything the active handle holds and go idle. */
  abstract void tearDown();

  /** Check a range of physical addresses and return the flags of a request. */
  final int requestFlags(DmaDirection direction, int attributes) {
    return direction.access() | DmaAttributes.check(attributes);
  }

  final void requirePhysRange(long phys, long length) {
    if (length <= 0) {
      throw new IllegalArgumentException(stack.device + ": length " + length + " of " + Hex.of(phys) + " must be positive");
    }
    if (Long.compareUnsigned(phys + (length - 1), phys) < 0) {
      throw new IllegalArgumentException(
          stack.device + ": " + Hex.range(phys, length) + " wraps around the end of the address space");
    }
  }

  /** Check that {@code offset .. offset + length} lies within the mapped length. */
  final void requireWithin(long offset, long length) {
    long whole = state.length;
    if (offset < 0 || length <= 0 || length > whole - offset) {
      throw new IllegalArgumentException(
          stack.device
              + ": "
              + Hex.range(offset, length)
              + " is outside this "
              + getClass().getSimpleName()
              + " of "
              + Hex.of(whole)
              + " bytes");
    }
  }

  /** Hold the memory of a range and return the flags it adds: what memory is, is found out here and nowhere else. */
  final int pinForLink(long phys, long length) {
    MemoryRegion region = pins.pin(stack, phys, length);
    return region.kind() == MemoryKind.RAM ? 0 : peerFlags(phys, length);
  }

  private int peerFlags(long phys, long length) {
    return switch (stack.ops.classify(phys, length)) {
      case RangeKind.LOCAL -> 0;
      case RangeKind.BRIDGE_PEER -> MapFlags.PEER;
      case RangeKind.BUS_PEER ->
          throw new DmaMappingException(
              Reason.BUS_ADDRESS,
              stack.device
                  + ": "
                  + Hex.range(phys, length)
                  + " is peer memory reached by bus address and cannot be linked into a window; use a transfer");
      default ->
          throw new DmaMappingException(
              Reason.PEER_UNREACHABLE,
              stack.device + ": peer memory " + Hex.range(phys, length) + " cannot be reached by this device");
    };
  }

  /** Move ownership of a part, if anything of it needs that. */
  final void syncPart(long offset, long length, int toward) {
    requireActive();
    requireWithin(offset, length);
    if (state.has(MapFlags.NEEDS_SYNC)) {
      stack.ops.sync(state, offset, length, toward);
    }
  }
}
