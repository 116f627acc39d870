package io.twostep.backend.debug;

import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** What each state holds, who is in a call on it, and which calls it may be given to now. Thread-safe. */
final class States {
  private final Device device;
  private final int layer;
  private final Reports reports;
  private final Ledger ledger;
  private final SpaceLedger space;
  private final int maxLive;
  private final AtomicInteger live = new AtomicInteger();

  States(Device device, Reports reports, Ledger ledger, SpaceLedger space, int maxLive) {
    this.device = device;
    this.layer = device.context.layer();
    this.reports = reports;
    this.ledger = ledger;
    this.space = space;
    this.maxLive = maxLive;
  }

  /** Return what a state did; null if it never came here. */
  @Nullable HandleHistory existing(MappingState state) {
    return state.layers() > layer && state.object(layer) instanceof HandleHistory history ? history : null;
  }

  /** Return what a state did until now. */
  HandleHistory of(MappingState state) {
    if (state.object(layer) instanceof HandleHistory history) {
      return history;
    }
    HandleHistory history = new HandleHistory();
    state.object(layer, history);
    return history;
  }

  /** Enter a call on a state, which no other thread may be in. Ends with {@link HandleHistory#leave}. */
  HandleHistory enter(MappingState state, String call) {
    HandleHistory history = of(state);
    Thread other = history.enter();
    if (other != null) {
      Tracked tracked = history.last;
      reports.note(
          Rule.USED_BY_TWO_THREADS,
          device.name,
          tracked == null ? 0 : tracked.dmaAddress,
          tracked == null ? 0 : tracked.length,
          call + " while thread " + other.getName() + " is in a call on the same state",
          tracked == null ? null : tracked.made);
    }
    return history;
  }

  /** Enter a call, unless it is on a sparse window, whose units any threads link side by side; null then. */
  @Nullable HandleHistory enterUnlessWindow(MappingState state, Tracked tracked, String call) {
    return (tracked.asked & MapFlags.WINDOW) != 0 ? null : enter(state, call);
  }

  /** Leave a call that {@link #enterUnlessWindow} entered. */
  static void leave(@Nullable HandleHistory history) {
    if (history != null) {
      history.leave();
    }
  }

  /** Report a state that holds something already. */
  void requireFree(HandleHistory history, String call) {
    Tracked tracked = history.current;
    if (tracked != null && !tracked.withheld) {
      reports.crime(Rule.STATE_REUSED, device.name, tracked.dmaAddress, tracked.length, call + " with a state that holds this", tracked.made);
    }
  }

  /** Return the window a state holds, or null if it is not followed. */
  @Nullable Tracked windowOf(MappingState state, String call) {
    HandleHistory history = of(state);
    Tracked tracked = history.current;
    if (tracked == null) {
      requireKnown(history, call);
    } else if (tracked.partly) {
      return null;
    } else if (!tracked.window) {
      reports.crime(Rule.STATE_UNKNOWN, device.name, tracked.dmaAddress, tracked.length, call + " with the state of a mapping, not of a window", tracked.made);
      return null;
    }
    return tracked;
  }

  /** Report a state that holds nothing, and did. */
  void requireKnown(HandleHistory history, String call) {
    Tracked last = history.last;
    if (history.current == null && last != null && !history.unfollowed) {
      reports.crime(Rule.STATE_UNKNOWN, device.name, last.dmaAddress, last.length, call + " with a state that was given back", last.tornDown);
    }
  }

  /** Note what a call made. */
  Tracked follow(
      HandleHistory history, MappingState state, boolean window, int flags, long length, @Nullable MemorySegment foreign, String what) {
    Tracked tracked =
        new Tracked(device.name, ledger.nextId(), window, flags, state.dmaAddress, length, device.granule, foreign, reports.origin(what));
    tracked.below = state.flags;
    state.word(layer, tracked.id);
    history.current = tracked;
    history.last = tracked;
    return tracked;
  }

  /** Follow it from now on, for {@code owner}. */
  void begin(Tracked tracked, CheckingOps owner) {
    if (device.translates && !tracked.onBus) {
      space.add(tracked);
    }
    tracked.owner(owner);
    ledger.follow(tracked);
    int now = live.incrementAndGet();
    if (now == maxLive + 1) {
      reports.note(Rule.TOO_MANY_MAPPINGS, device.name, tracked.dmaAddress, tracked.length, now + " mappings live; this is the latest", tracked.made);
    }
  }

  /** Follow it no more. */
  void end(Tracked tracked) {
    ledger.forget(tracked);
    live.decrementAndGet();
  }

  /** Hear of every sync, and of the unmap. */
  static void watch(MappingState state) {
    state.flags |= MapFlags.WATCHED;
  }
}
