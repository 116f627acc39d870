package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all handles share beside their phases: the stack that made the mapping; the memory it holds; and the checks that every request passes before it goes down.
 *
 * <p>A request is {@link #claim}, work, {@link #activate}, or {@link #abandon} if the work failed. A teardown is {@link #tearDownWith}.
 */
abstract sealed class DmaHandle extends HandlePhases implements AutoCloseable, HandleRegistry.Holder
    permits DmaMapping, RequestHandle, IovaReservation, SparseWindow, DmaBuffer {
  private static final Logger LOG = LoggerFactory.getLogger(DmaHandle.class);
  private final DmaMapper mapper;
  private final RegionPins pins;
  private Retirement own = new Retirement(true);

  private AttachedStack stack;
  private MappingState state;

  /** The states of ranges that are mapped one by one; null until there may be some. */
  private @Nullable SegmentStates segments;

  /** There from the first memory on that may be taken back. */
  private @Nullable RevocableHolds revocable;

  private volatile @Nullable Runnable onRevoke;

  DmaHandle(DmaMapper mapper) {
    this.mapper = mapper;
    // A window keeps account of memory that may be taken back by itself, because its pins are those of its units.
    this.pins = new RegionPins(this instanceof SparseWindow ? null : this);
    this.stack = mapper.holdStack();
    this.state = new MappingState(stack.layers);
    mapper.handles().add(this);
    if (mapper.isClosed()) {
      orphan();
    }
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

  @Override
  public final boolean holdsSomething() {
    return isMappedOrBusy();
  }

  @Override
  public final boolean escapes(DirtyTracker tracker) {
    return holdsSomething() && stack.ops.dirtyTracker() != tracker;
  }

  @Override
  public final void orphan() {
    if (tryOrphan()) {
      mapper.handles().remove(this);
      forgetStates();
      stack.letGo();
    }
  }

  /** Go idle; a handle that missed the close of its mapper because it was busy or mapped follows it now. */
  private void goIdle() {
    setIdle();
    if (mapper.isClosed()) {
      orphan();
    }
  }

  /** Claim the idle handle for a request; it must end in {@link #activate} or {@link #abandon}. */
  final void claim(String call) {
    claimIdle(call);
    if (mapper.isDetached() || mapper.currentStack() != stack) {
      rebindOrAbandon();
    }
    state.reset();
    own.undo(true);
  }

  private void rebindOrAbandon() {
    try {
      AttachedStack next = mapper.holdStack();
      forgetStates();
      AttachedStack previous = stack;
      stack = next;
      state = new MappingState(next.layers);
      if (segments != null) {
        segments.drop();
      }
      // Last, because it may close the stack, and that may fail: what was let go of must not be met again.
      previous.letGo();
    } catch (RuntimeException e) {
      goIdle();
      throw e;
    }
  }

  final void activate() {
    own.undo(false);
    setMapped();
    leaveRevocable();
  }

  /** Return a claimed handle to idle; nothing was done. */
  final void unclaim() {
    own.undo(false);
    goIdle();
  }

  /** Return what a request that failed and was abandoned comes to. */
  static long failedRequest(RuntimeException cause) {
    return SinkRefused.result(cause, "what was mapped could not be undone; its memory is withheld until the device is reset");
  }

  /** Return a claimed handle to idle, undoing what the stack registered and letting go of memory; {@code cause} is why. */
  final void abandon(RuntimeException cause) {
    undo(0, cause);
    own.undo(false);
    leaveRevocable();
    goIdle();
  }

  /** Return the account of memory that may be taken back, made when it is first needed, during a call. */
  final RevocableHolds revocables() {
    RevocableHolds held = revocable;
    if (held == null) {
      held = new RevocableHolds(this);
      revocable = held;
    }
    return held;
  }

  /** Begin a call that uses the active handle's state; end it with {@link #leaveRevocable}. */
  final void enterRevocable(String call) {
    RevocableHolds held = revocable;
    if (held != null) {
      held.enter(call);
    }
  }

  /** Tell whether the handle never held memory that may be taken back, so that there is no account of it to open. */
  final boolean knowsNoRevocable() {
    return revocable == null;
  }

  /** Tell whether the handle holds memory that may be taken back. */
  final boolean holdsRevocable() {
    RevocableHolds held = revocable;
    return held != null && held.any();
  }

  /** End a call that may have begun, or used, memory that may be taken back. */
  final void leaveRevocable() {
    RevocableHolds held = revocable;
    if (held != null) {
      held.leave();
    }
  }

  /**
   * Be told when memory that this handle maps is taken back by its owner, peer memory or an {@link ExportedBuffer}: then unmap soon; every other call throws REVOKED. A
   * {@link SparseWindow} goes on instead: unlink what was taken back.
   *
   * <p>Runs on the thread that takes it back, after translations are gone, and must not block; or on the handle's own thread, at the end of the call during
   * which it happened. What has no translation, such as bus addresses, is still reachable: stop the device's requests first.
   *
   * @param task null to be told nothing
   */
  public final void onRevoke(@Nullable Runnable task) {
    onRevoke = task;
  }

  final void tellRevoked() {
    Runnable task = onRevoke;
    if (task != null) {
      try {
        task.run();
      } catch (RuntimeException e) {
        // Other importers must be told too, and the owner of the memory cannot do anything about it.
        LOG.warn("{}: the task that onRevoke() was given failed", stack.device, e);
      }
    }
  }

  /**
   * Take everything down without deferring anything; called by who has the handle to itself. Returns the first failure.
   *
   * @param strict the account's own; it still holds the I/O addresses afterwards where {@code keepAddresses}
   */
  final @Nullable RuntimeException takeDownStrictly(Retirement strict, boolean keepAddresses) {
    RuntimeException failure = takeDown(strict);
    try {
      if (keepAddresses) {
        strict.completeButAddresses();
      } else {
        strict.complete();
      }
    } catch (RuntimeException e) {
      if (!strict.isInvalidated()) {
        mapper.quarantine().withhold(strict, pins, stack);
        revocables().renewStrict();
      }
      failure = join(failure, e);
    }
    pins.releaseAll();
    return failure;
  }

  /** Undo what a failed call registered, and let go of the memory it held; what goes wrong on the way is added to {@code cause}. */
  final void undo(int pinMark, RuntimeException cause) {
    try {
      completeOwn();
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
    pins.releaseTo(pinMark);
  }

  /** Complete the handle's own retirement now; what cannot be invalidated is quarantined together with the handle's memory. */
  final void completeOwn() {
    if (own.isEmpty()) {
      return;
    }
    try {
      own.complete();
    } catch (RuntimeException e) {
      if (!own.isEmpty()) {
        mapper.quarantine().withhold(own, pins, stack);
        own = new Retirement(true);
      }
      throw e;
    }
  }

  /** Return what a partial teardown registers with. */
  final Retirement retirementOf(@Nullable InvalidationBatch batch) {
    return batch == null ? own : batch.retirementFor(stack);
  }

  /** Tear the active handle down and go idle; what fails on the way is quarantined, and thrown at the end. */
  final void tearDownWith(String call, @Nullable InvalidationBatch batch) {
    RevocableHolds held = revocable;
    if (held != null && held.any()) {
      tearDownRevocable(call, held);
      return;
    }
    Retirement retirement = retirementOf(batch);
    claimMapped(call);
    if (mapper.isDetached()) {
      retirement.makeStrict();
    }
    try {
      RuntimeException failure = takeDown(retirement);
      if (batch == null) {
        failure = join(failure, failureOfOwn());
        pins.releaseAll();
      } else {
        pins.moveTo(batch.pins());
      }
      if (failure != null) {
        throw failure;
      }
    } finally {
      goIdle();
    }
  }

  /** Tear down a handle with memory that may be taken back: strictly and by itself, so that the owner can take it back at once. */
  private void tearDownRevocable(String call, RevocableHolds held) {
    claimMapped(call);
    try {
      RuntimeException failure = held.tearDown();
      if (failure != null) {
        throw failure;
      }
    } finally {
      goIdle();
    }
  }

  private @Nullable RuntimeException failureOfOwn() {
    try {
      completeOwn();
      return null;
    } catch (RuntimeException e) {
      return e;
    }
  }

  /** Take down everything the handle has below, whatever fails; returns the first failure. */
  abstract @Nullable RuntimeException takeDown(Retirement retirement);

  /** Release or unmap the handle's state, as {@link #takeDown(MappingState, boolean, Retirement)} does. */
  final @Nullable RuntimeException takeDownState(boolean window, Retirement retirement) {
    RuntimeException failure = takeDown(state, window, retirement);
    if (failure != null) {
      state = new MappingState(stack.layers);
    }
    return failure;
  }

  /** Release or unmap a state; one that cannot be taken down is quarantined, must not be used again, and is the failure returned. */
  final @Nullable RuntimeException takeDown(MappingState state, boolean window, Retirement retirement) {
    try {
      if (window) {
        stack.ops.release(state, retirement);
      } else if ((state.flags & MapFlags.HEARS_UNMAP) != 0) {
        stack.ops.unmap(state, retirement);
      }
      return null;
    } catch (RuntimeException e) {
      mapper.quarantine().withhold(stack, state, window, retirement.isUndo(), pins);
      return new DmaMappingException(
          Reason.QUARANTINED,
          stack.device
              + ": "
              + Hex.range(state.dmaAddress, state.length)
              + " could not be torn down; its memory is withheld until the device is reset",
          e);
    }
  }

  /** Join two failures of one teardown. */
  static @Nullable RuntimeException join(@Nullable RuntimeException earlier, @Nullable RuntimeException later) {
    if (earlier == null) {
      return later;
    }
    if (later != null) {
      earlier.addSuppressed(later);
    }
    return earlier;
  }

  /** Tell whether {@link #requireAttachedActive} would let a call pass. */
  final boolean isAttachedActive() {
    return seemsMapped() && !mapper.isDetached();
  }

  /** As {@link #requireActive}, for calls that are not teardown and so need the device. */
  final void requireAttachedActive(String call) {
    requireActive(call);
    if (mapper.isDetached()) {
      throw mapper.detachedException();
    }
  }

  @Override
  final RuntimeException detached() {
    return mapper.detachedException();
  }

  @Override
  final String deviceName() {
    return stack.device;
  }

  /** Return the state below that tells best what this handle did before. */
  MappingState witness() {
    return state;
  }

  @Override
  final void refused(Misuse misuse, String call, long first, long length) {
    stack.ops.refused(witness(), misuse, call, first, length);
  }

  /**
   * End the handle for good, tearing down what it holds; may be repeated.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory; the handle is closed all the same
   * @throws IllegalStateException while another call uses the handle
   */
  @Override
  public final void close() {
    if (isClosed()) {
      return;
    }
    try {
      if (isMapped()) {
        tearDownWith("close", null);
      }
    } finally {
      end();
    }
  }

  private void end() {
    if (tryClose()) {
      mapper.handles().remove(this);
      ended();
      forgetStates();
      stack.letGo();
    } else if (tryCloseOrphan()) {
      ended();
    } else if (!isClosed()) {
      throw notClosable();
    }
  }

  /** Tell the stack, before the handle lets go of it, that the states bound to it are not used again. */
  private void forgetStates() {
    stack.ops.forget(state);
    SegmentStates bound = segments;
    if (bound != null) {
      bound.forget(stack.ops);
    }
  }

  /** Note the states, beside the handle's own, that are bound to its stack; always the same, during a call that may use them. */
  final void segments(SegmentStates bound) {
    segments = bound;
  }

  /** Give back what outlives mappings; called once, when the handle has closed. */
  void ended() {}

  /** Check attributes and return the flags of a request. */
  final int requestFlags(DmaDirection direction, int attributes) {
    if ((attributes & ~DmaAttributes.ALL) != 0) {
      refused(Misuse.UNKNOWN_ATTRIBUTES, "map", 0, 0);
      throw new IllegalArgumentException(
          stack.device + ": unknown attribute bits " + Hex.of(attributes & ~DmaAttributes.ALL) + "; see DmaAttributes");
    }
    if (direction == null) {
      throw new NullPointerException(stack.device + ": the direction must not be null");
    }
    return direction.access() | attributes;
  }

  /** Check that a range is not empty and does not wrap; the last byte may be the last there is. */
  final void requirePhysRange(long phys, long length) {
    if (length <= 0 || Long.compareUnsigned(phys + (length - 1), phys) < 0) {
      throw badRange(phys, length);
    }
  }

  private IllegalArgumentException badRange(long phys, long length) {
    refused(length <= 0 ? Misuse.BAD_LENGTH : Misuse.WRAPS, "map", phys, length);
    return new IllegalArgumentException(
        length <= 0
            ? stack.device + ": length " + length + " of " + Hex.of(phys) + " must be positive"
            : stack.device + ": " + Hex.range(phys, length) + " wraps around the end of the address space");
  }

  /** Check that {@code offset .. offset + length} lies within {@code whole} bytes. */
  final void requireWithin(long offset, long length, long whole) {
    if (offset < 0 || length <= 0 || length > whole - offset) {
      throw outside(offset, length, whole);
    }
  }

  private IllegalArgumentException outside(long offset, long length, long whole) {
    refused(length <= 0 ? Misuse.BAD_LENGTH : Misuse.OUTSIDE, "use", offset, length);
    return new IllegalArgumentException(
        stack.device
            + ": "
            + (offset < 0 || length <= 0 ? offset + " and " + length + " bytes on" : Hex.range(offset, length))
            + " is outside this "
            + getClass().getSimpleName()
            + " of "
            + Hex.of(whole)
            + " bytes");
  }

  /** Move ownership of a part of {@code whole} bytes that begin at {@code base} of the state, if anything of it needs that. */
  final void syncPart(long base, long offset, long length, long whole, int toward) {
    requireAttachedActive(toward == DmaOps.TOWARD_CPU ? "syncForCpu" : "syncForDevice");
    requireWithin(offset, length, whole);
    enterRevocable(toward == DmaOps.TOWARD_CPU ? "syncForCpu" : "syncForDevice");
    try {
      if ((state.flags & MapFlags.HEARS_SYNC) != 0) {
        stack.ops.sync(state, base + offset, length, toward);
      }
    } finally {
      leaveRevocable();
    }
  }
}
