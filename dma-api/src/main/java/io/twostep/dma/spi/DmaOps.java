package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The primitives of one device's mapping stack, on longs; one implementation per layer, composed when the device is attached.
 *
 * <p>A layer takes what concerns it and passes the rest to the one below. The mapper has already checked state, bounds, wrap-around and
 * backing, and hands in memory of this machine only; a layer checks its own rule; the terminal checks reach, trust and
 * overlap and refuses whatever is not ordinary memory. A call that throws has changed nothing, except that what it must retire
 * later, or could not take down, is registered with {@code undo}.
 *
 * <p>Calls on different states may run concurrently; calls on one state never do, but for disjoint ranges of a window. No call waits for a
 * device or for another request. Lengths are bytes and never 0. All throw {@link DmaMappingException}.
 */
public interface DmaOps extends AutoCloseable {
  /** {@link #physOf} found nothing. */
  long ABSENT = -1L;

  /** Ownership moves to the CPU. */
  int TOWARD_CPU = 0;

  /** Ownership moves to the device. */
  int TOWARD_DEVICE = 1;

  /** Return the name of the device that these ops were attached for, as messages name it: {@link AttachContext#device}. */
  String device();

  /** Return the smallest page of the address space, bytes, a power of two; 1 where nothing translates. */
  long granule();

  /** Return the smallest piece that {@link #unlink} can take out, bytes, a power of two; at least the granule. */
  long unit();

  /** Tell whether {@link #reserve} exists: whether the stack translates. */
  boolean translates();

  /** Tell whether a device that may only write is kept from reading; where it is not, a bounce layer shows untrusted devices zeros. */
  default boolean enforcesWriteOnly() {
    return true;
  }

  /** Return the most bytes one mapping may have. */
  default long maxMappingLength() {
    return Long.MAX_VALUE;
  }

  /** Return the most bytes a mapping may have without leaving the fast path. */
  default long optimalMappingLength() {
    return maxMappingLength();
  }

  /** Tell whether the device can use the range as it is, without help of a layer. */
  boolean reaches(long phys, long length);

  /** Return how the device reaches the range, a {@link io.twostep.dma.RangeKind}. */
  int classify(long phys, long length);

  /** Say in words why the device does not reach the range, as the end of a sentence that names both. */
  default String whyUnreachable(long phys, long length) {
    return "no layer of the stack knows a way to it; add the p2p layer, or copy through host memory";
  }

  /**
   * Map one contiguous range and make it visible.
   *
   * <p>A layer does its own part after {@code next.map} succeeded; if that part fails it calls {@code next.unmap(state, undo)} and throws. Whoever cannot take down what a failing map has made, because
   * that throws too, gives it to {@link Retirement#withhold}: until that could be taken down the mapper keeps the memory, and the undo whatever else it holds. A layer that must
   * see the unmap sets {@link MapFlags#NEEDS_UNMAP} in {@code state.flags}; sparse windows do not exist over such a layer where nothing translates.
   *
   * <p>Sets {@code dmaAddress}, {@code length}, {@code allocated} and {@code flags} of the state.
   */
  void map(MappingState state, long phys, long length, int flags, Retirement undo);

  /**
   * Map ranges of one request that need no more than their DMA addresses: where nothing translates, the device reaches them as they are, and neither sync nor unmap
   * has anything to do.
   *
   * <p>Spares a request of many ranges a call and a state for each. What {@link #map} checks is checked. A layer passes the call on only if {@link #map} would do nothing for such ranges but pass them on, too; one that
   * has to see each range leaves them all to {@link #map}, as this does.
   *
   * @param phys first bytes of the ranges, all of them ordinary memory
   * @param from index of the first range
   * @param to index behind the last one
   * @param flags of {@link #map}
   * @param dmaAddress is given the address of each range that is mapped, at its index
   * @return how many were mapped, from the first on; the one behind them is for {@link #map}, to do or to refuse
   */
  default int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    return 0;
  }

  /** Map memory that is not the machine's, such as a Java heap array; refused unless a layer can stage it. */
  default void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    throw new DmaMappingException(
        Reason.NOT_BACKED,
        "%s: cannot map a segment of 0x%x bytes: it is not this machine's memory and no layer of the stack bounces it; allocate from memory() or add a bounce layer"
            .formatted(device(), segment.byteSize()));
  }

  /**
   * Map ranges that do not lie one behind the other as one range, by copying them into memory of the layer's own; refused unless a layer bounces.
   *
   * <p>Only asked for by callers who accept the copy, and never with peer memory. The DMA address keeps the low bits of the first range. Syncs by offset in the whole.
   *
   * @param phys first bytes of the ranges, in order; the arrays are the caller's again when this returns
   * @param count how many ranges there are, at least one; the sum of their lengths does not overflow
   */
  default void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    throw new DmaMappingException(
        Reason.NOT_LINEAR,
        "%s: cannot map %d ranges, the first of them 0x%x+0x%x, as one: they do not lie one behind the other and no layer of the stack copies them together; add a bounce layer, or use a transfer"
            .formatted(device(), count, phys[0], length[0]));
  }

  /**
   * Remove what {@link #map}, {@link #mapSegment} or {@link #mapGathered} made.
   *
   * <p>Like {@link #release} it may throw only when the device cannot be proved away, such as when a host unmaps fewer bytes; the mapper then
   * quarantines the state with its memory and calls again after a reset.
   *
   * <p>A layer that copies registers no copy out where {@link Retirement#isUndo}: the device was never given the addresses.
   *
   * <p>May come without {@link MapFlags#NEEDS_UNMAP} having been set here, because a layer above asked or undoes its part; what keeps nothing then does nothing.
   *
   * <p>A layer calls next first, registers its own releases after that, and leaves its words as they are if next throws: the call may be repeated. So in
   * {@link #release}.
   */
  void unmap(MappingState state, Retirement batch);

  /**
   * Reserve a window of I/O addresses and link nothing.
   *
   * <p>{@code length} may exceed what the caller will link: granules that alignment skips are reserved too.
   *
   * <p>Sets {@code dmaAddress} to the window's first byte, {@code offsetInGranule} past an aligned granule, and {@code length}, {@code allocated}.
   *
   * @param offsetInGranule below the granule, or below {@code alignment} where that is larger: then the granules that the window begins behind are allocated with it, so
   *     that {@link #release} cannot tell from {@code dmaAddress} alone what it gives back
   * @param alignment alignment of the first granule that is allocated, bytes, a power of two; 0 for the natural one: the smallest power of two of granules
   *     that holds them all
   * @param highest highest address the window may have, inclusive, beside the device's own limit
   */
  void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags);

  /**
   * Link a range at {@code offset} from {@code state.dmaAddress}; it becomes usable by {@link #publish}.
   *
   * @throws DmaMappingException ALREADY_LINKED if a touched granule is occupied, MISALIGNED if the edges do not fit
   */
  void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo);

  /**
   * Link the ranges {@code from} (inclusive) to {@code to} (exclusive) one behind the other, starting at {@code offset}; all or nothing.
   */
  void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo);

  /**
   * Make what was linked in the range visible to the device, and hand it over; holes are skipped. On failure nothing was handed over and the links stay.
   *
   * <p>A layer that copies or maintains caches hands over what the device does not own yet, and only that: publishing again does not copy over what
   * the device may have written since. {@link io.twostep.dma.DmaAttributes#OVERWRITE} spares the copy at every hand-over, here and in {@link #sync}.
   */
  void publish(MappingState state, long offset, long length, Retirement undo);

  /**
   * Take out what is linked in the range; both edges lie on the unit, or on the end of what is linked.
   *
   * @throws DmaMappingException NOT_LINKED for a hole, NOT_SPLITTABLE for an edge inside a leaf or a piece; before anything changes
   */
  void unlink(MappingState state, long offset, long length, Retirement batch);

  /** Change the permission of what is linked in the range; the batch must complete before the caller relies on it. */
  default void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    throw new DmaMappingException(Reason.UNSUPPORTED, "this stack cannot change permissions of linked memory");
  }

  /** Take out whatever is still linked and give back the window, exactly as it was allocated. */
  void release(MappingState state, Retirement batch);

  /**
   * Hear that a state will not be used again, and let go of what is kept for its next use; nothing is mapped or reserved in it, but what waits for a retirement to complete. Must neither throw nor block.
   *
   * <p>What is kept for states that are idle must be there for requests that need it: no request fails for want of it. A layer passes the call on. One call or more for every state that was used, before {@link #close}; none for a
   * state that was only mapped with {@link MapFlags#WINDOW}, to learn the address of a window's unit where nothing translates: nothing may be kept for the next use of that.
   */
  default void forget(MappingState state) {}

  /** Move ownership of a part of what is mapped or linked, {@link #TOWARD_CPU} or {@link #TOWARD_DEVICE}, including any copy. */
  void sync(MappingState state, long offset, long length, int toward);

  /** Return the caller's physical address behind {@code offset}, never that of a bounce slot, or {@link #ABSENT}. */
  long physOf(MappingState state, long offset);

  /**
   * Return the first of the offsets {@code offset}, {@code offset + step} and so on at which something is linked, or {@link #ABSENT}.
   *
   * <p>For tearing down sparse windows: a terminal whose tables show holes at a glance overrides it.
   */
  default long nextLinked(MappingState state, long offset, long step) {
    for (long at = offset; at >= 0 && at < state.length; at += step) {
      if (physOf(state, at) != ABSENT) {
        return at;
      }
    }
    return ABSENT;
  }

  /**
   * Release what was registered with {@link Retirement#retire} when its retirement completes.
   *
   * <p>No stale translation lives then, unless the retirement is {@linkplain Retirement#isDeferrable() deferrable} and the terminal lazy: a layer whose
   * releases need the invalidation passes {@link MapFlags#STRICT} down when it maps or reserves. Called on the ops that registered it, also after a
   * restack; must not block, and calls nothing of the stack.
   *
   * @param phase the phase it was registered in
   */
  default void retire(int phase, long a, long b, long c) {}

  /**
   * Hear of a call that the mapper refuses, just before it throws; for checkers, which know what happened earlier.
   *
   * <p>Must neither throw nor block. Comes on the thread that made the mistake, which may be another one than the handle's, and perhaps after {@link #close}.
   *
   * @param state the handle's; null where the mistake is not about one handle
   * @param call the refused call
   * @param first first byte of what was asked for: an offset where a call takes offsets, else an address; 0 where there is no range
   * @param length bytes asked for, whatever their sense
   */
  default void refused(@Nullable MappingState state, Misuse misuse, String call, long first, long length) {}

  /** Hear that the mapper is closed: whatever is still mapped now was left behind. Must neither throw nor block. */
  default void mapperClosed() {}

  /**
   * Return what tracks device writes in the address space, or null where nothing does. A layer that may hand out bus addresses, which no translation
   * sees, answers null.
   */
  default @Nullable DirtyTracker dirtyTracker() {
    return null;
  }

  /** Say in words why {@link #dirtyTracker} answers null and what to do, as the end of a sentence that names the device. */
  default String whyUntracked() {
    return (translates() ? "the IOMMU sets no dirty bits that can be read" : "nothing translates for it") + "; have the device track";
  }

  /**
   * Tell whether the terminal is lazy: what is torn down with a {@linkplain Retirement#isDeferrable() deferrable} retirement may wait for a later flush, by whichever
   * thread, so that its I/O addresses may be handed out again before the teardown returns.
   */
  default boolean isLazy() {
    return false;
  }

  /**
   * Return the number of the latest flush that has completed, of a terminal that {@link #isLazy}: after it, and not before, addresses may be handed out again whose teardown was
   * deferred earlier. Grows from flush to flush, in steps of any size; -1 where nobody counts.
   */
  default long flushesCompleted() {
    return -1;
  }

  /** Complete every deferred invalidation and release what waits for it; returns when done. */
  default void quiesce() {}

  /** Release what this layer holds for the device; called once, with the last handle that uses it. Closes the layer below. */
  @Override
  void close();
}
