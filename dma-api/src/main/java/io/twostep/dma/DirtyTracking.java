package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DirtyTracker;
import org.jspecify.annotations.Nullable;

/**
 * Tells which pages devices wrote through the I/O addresses of a mapper's address space, for live migration and incremental checkpoints.
 *
 * <pre>{@code
 * DirtyTracking tracking = mapper.dirtyTracking();
 * tracking.start();
 * copyEverything();
 * DirtyBitmap dirty = new DirtyBitmap(window.address(), window.length(), tracking.granularity());
 * tracking.readAndClear(dirty);                      // what was written meanwhile: copy it again, after this call
 * ...
 * tracking.stop();
 * }</pre>
 *
 * <p>What holds while tracking:
 *
 * <ul>
 *   <li>Marks are kept by I/O address. A write is never lost: it is reported by every read, until one that clears covers it. It may be reported in a
 *       larger piece than was written: {@link #granularity}, or the whole leaf where larger leaves map a range; windows with small units have small leaves.
 *   <li>The map may change meanwhile. Removing a mapping keeps its marks, to be read at its I/O addresses; if those are handed out again, marks of the old and
 *       the new mapping are one. Mappings whose teardown had begun before {@link #start} may be left out.
 *   <li>All devices of the address space are tracked together, by one tracking at a time; mappers that share one join it ({@link #tryJoin}).
 *   <li>Where a bounce layer put a slot in the place of memory, a write to the slot is reported at the mapping's I/O address when it happens; the caller's memory changes
 *       when it is taken over by sync or unmap, and must be copied after that. Writes by the CPU are never reported.
 *   <li>Writes by bus address pass no translation. A stack that may hand out bus addresses has no tracking.
 * </ul>
 *
 * <p>Thread-safe.
 */
public final class DirtyTracking {
  private final DmaMapper mapper;
  private volatile @Nullable Shared shared;
  private @Nullable AttachedStack stack;

  /** A tracking that is on, and how many mappers want it to be. */
  private static final class Shared {
    final DirtyTracker tracker;
    private int mappers = 1;

    Shared(DirtyTracker tracker) {
      this.tracker = tracker;
    }

    synchronized boolean tryEnter() {
      mappers += mappers == 0 ? 0 : 1;
      return mappers != 0;
    }

    synchronized boolean isLastToLeave() {
      mappers--;
      return mappers == 0;
    }
  }

  DirtyTracking(DmaMapper mapper) {
    this.mapper = mapper;
  }

  /**
   * Start with everything clean: every write by a device after this has returned is reported.
   *
   * @throws DmaMappingException UNSUPPORTED if the mapper's stack cannot track, or something is still mapped through an earlier one that it does not see; DETACHED after detach, QUARANTINED if the hardware's caches could not be
   *     invalidated; it is not tracking then
   * @throws IllegalStateException if this or another mapper tracks the address space already
   */
  public void start() {
    // First the mapper, as in restack: what it is served by does not change meanwhile.
    synchronized (mapper) {
      startHere();
    }
  }

  private synchronized void startHere() {
    requireIdle("start");
    AttachedStack held = mapper.holdStack();
    try {
      DirtyTracker found = held.ops.dirtyTracker();
      if (found == null) {
        throw unsupported(held);
      }
      requireAllSeen(found);
      found.start();
      shared = new Shared(found);
      stack = held;
    } finally {
      if (stack != held) {
        held.letGo();
      }
    }
  }

  /**
   * Join the tracking that another mapper has started, where both use one address space: what this mapper's device writes is reported by it too. It goes on until all have stopped.
   *
   * <p>Each reads the I/O addresses of its own mappings: a mark that one has cleared is not reported to the other.
   *
   * @return false, with nothing changed, if the other mapper does not track, or its address space is another one: {@link #start} then
   * @throws DmaMappingException UNSUPPORTED if something is still mapped through an earlier stack that the tracking does not see; DETACHED after detach
   * @throws IllegalStateException if this mapper tracks already
   */
  public boolean tryJoin(DirtyTracking other) {
    synchronized (mapper) {
      return tryJoinHere(other);
    }
  }

  private synchronized boolean tryJoinHere(DirtyTracking other) {
    requireIdle("tryJoin");
    Shared running = other.shared;
    AttachedStack held = mapper.holdStack();
    try {
      if (running == null || held.ops.dirtyTracker() != running.tracker) {
        return false;
      }
      requireAllSeen(running.tracker);
      if (running.tryEnter()) {
        shared = running;
        stack = held;
      }
      return stack == held;
    } finally {
      if (stack != held) {
        held.letGo();
      }
    }
  }

  private void requireAllSeen(DirtyTracker tracker) {
    if (mapper.handles().escapes(tracker)) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          mapper.slot().address() + ": something is still mapped through an earlier stack, past which devices would write unseen; unmap it first");
    }
  }

  private void requireIdle(String call) {
    if (shared != null) {
      throw new IllegalStateException(mapper.slot().address() + ": " + call + "(): this mapper is tracking already");
    }
  }

  /** Stop, and, unless other mappers have joined, forget what was not read; does nothing unless tracking. Allowed after detach; closing the mapper does it too. */
  public synchronized void stop() {
    Shared running = shared;
    AttachedStack held = stack;
    if (running != null && held != null) {
      shared = null;
      stack = null;
      try {
        if (running.isLastToLeave()) {
          running.tracker.stop();
        }
      } finally {
        held.letGo();
      }
    }
  }

  /** Tell whether it was started or has joined, and was not stopped. */
  public synchronized boolean isTracking() {
    return shared != null;
  }

  /**
   * Return the smallest piece that a write is reported as, bytes.
   *
   * @throws IllegalStateException unless tracking
   */
  public synchronized long granularity() {
    return running("granularity").granularity();
  }

  /**
   * Mark in {@code bitmap} what was written in the bitmap's range of I/O addresses, and keep the marks. What is marked there already stays.
   *
   * @throws IllegalStateException unless tracking
   */
  public synchronized void read(DirtyBitmap bitmap) {
    running("read").read(false, bitmap);
  }

  /**
   * Mark in {@code bitmap} what was written in the bitmap's range of I/O addresses, and report it never again unless it is written again. What is marked there
   * already stays.
   *
   * <p>Costs one invalidation if anything was written. Copy data after it returns: a write during the call is reported by it, or by the next.
   *
   * @throws IllegalStateException unless tracking
   * @throws DmaMappingException QUARANTINED if the hardware's caches could not be invalidated; the marks are all kept and the bitmap is unchanged
   */
  public synchronized void readAndClear(DirtyBitmap bitmap) {
    running("readAndClear").read(true, bitmap);
  }

  private DirtyTracker running(String call) {
    Shared running = shared;
    if (running == null) {
      throw new IllegalStateException(mapper.slot().address() + ": " + call + "(): not tracking; call start() first");
    }
    return running.tracker;
  }

  /** Refuse a stack whose mappings the running tracking would not see. */
  synchronized void requireSeen(AttachedStack next) {
    Shared running = shared;
    if (running != null && next.ops.dirtyTracker() != running.tracker) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          next.device + ": writes through the new stack would escape the dirty tracking that is on; stop it first");
    }
  }

  static DmaMappingException unsupported(AttachedStack stack) {
    return new DmaMappingException(
        Reason.UNSUPPORTED, stack.device + ": this stack cannot track what the device writes: " + stack.ops.whyUntracked());
  }
}
