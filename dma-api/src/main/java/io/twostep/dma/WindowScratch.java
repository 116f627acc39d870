package io.twostep.dma;

import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.ThreadPlaces;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What one thread needs for one call on a {@link SparseWindow}: arrays for a run, a retirement, and pins in transit. */
final class WindowScratch {
  static final int RUN = 64;

  private static final ThreadLocal<WindowScratch> OF_THREAD = ThreadLocal.withInitial(WindowScratch::new);

  private static final ThreadPlaces PLACES = new ThreadPlaces(64);

  /** What threads took last, by their places: asking a thread for what is its own takes longer than linking a page. They outlive their threads here, so those that know a stack are not among them. */
  private static final @Nullable WindowScratch[] LATEST = new WindowScratch[64];

  final long[] phys = new long[RUN];
  final long[] length = new long[RUN];
  final int[] flags = new int[RUN];
  private final @Nullable MemoryRegion[] regions = new MemoryRegion[RUN];
  final RegionPins pins = new RegionPins();
  Retirement retirement = new Retirement();

  /** Window offset up to which the call has linked. */
  long linkedTo;

  /** Where nothing translates, the address of the last range's first byte. */
  long firstAddress;

  /** Whether the call has linked peer memory, which its owner may take back in the meantime. */
  boolean holdsPeers;

  /** The number of the thread whose scratch this is; 0 for one that serves a single call. */
  private final long owner;

  /** Where it was put among the latest. */
  private int place;

  private int used;
  private boolean taken;
  private @Nullable AttachedStack probeStack;
  private @Nullable MappingState probe;

  private WindowScratch() {
    this(Thread.currentThread().threadId());
  }

  private WindowScratch(long owner) {
    this.owner = owner;
  }

  /** Take the thread's scratch, or another if a sink or source uses windows from within a call on one; ends in {@link #giveBack}. */
  static WindowScratch take() {
    int place = PLACES.ofThread();
    WindowScratch latest = LATEST[place];
    if (latest != null && latest.owner == Thread.currentThread().threadId() && !latest.taken) {
      latest.taken = true;
      return latest;
    }
    return take(place);
  }

  private static WindowScratch take(int place) {
    WindowScratch scratch = OF_THREAD.get();
    if (scratch.taken) {
      scratch = new WindowScratch(0);
    } else if (scratch.probe == null) {
      scratch.leave();
      scratch.place = place;
      LATEST[place] = scratch;
    }
    scratch.taken = true;
    return scratch;
  }

  /** Tell whether the scratch is among those that threads took last. */
  boolean isLatest() {
    return LATEST[place] == this;
  }

  private void leave() {
    if (isLatest()) {
      LATEST[place] = null;
    }
  }

  /**
   * Give the scratch back.
   *
   * <p>One that still holds something, because an {@link Error} ended the call, is dropped with what it holds: nobody knows what the device still reaches, and the next call must not meet it.
   */
  void giveBack() {
    if (!retirement.isEmpty() || !pins.isEmpty()) {
      // Stays taken, so that nobody meets it.
      if (OF_THREAD.get() == this) {
        OF_THREAD.remove();
      }
      return;
    }
    if (used != 0) {
      Arrays.fill(regions, 0, used, null);
      used = 0;
    }
    holdsPeers = false;
    taken = false;
  }

  void region(int i, MemoryRegion region) {
    regions[i] = region;
    used = Math.max(used, i + 1);
  }

  MemoryRegion region(int i) {
    return Objects.requireNonNull(regions[i]);
  }

  /** Return a reset state for trying a mapping on a stack. */
  MappingState probe(AttachedStack stack) {
    MappingState state = probe;
    if (state == null || probeStack != stack) {
      state = new MappingState(stack.layers);
      probe = state;
      probeStack = stack;
      leave();
    }
    state.reset();
    return state;
  }
}
