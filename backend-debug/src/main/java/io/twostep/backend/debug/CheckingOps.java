package io.twostep.backend.debug;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One device's checker: follows every call, judges it before it goes down where the caller is to blame, and after where a layer below is.
 *
 * <p>Passes down exactly what came, and syncs and unmaps only where the layers below asked for them.
 */
final class CheckingOps extends ForwardingOps {
  private final Device device;
  private final int layer;
  private final DebugBackend backend;
  private final Reports reports;
  private final Ledger ledger;
  private final BelowChecks below;
  private final LinkBook book;
  private final RefusalCheck refusals;
  private final States states;
  private final Teardowns teardowns;

  CheckingOps(DmaOps next, Device device, DebugBackend backend, SpaceLedger space) {
    super(next);
    this.device = device;
    this.backend = backend;
    this.layer = device.context.layer();
    this.reports = backend.reports();
    this.ledger = backend.ledger();
    this.below = new BelowChecks(device, next, reports, space);
    Uses uses = ledger.uses(device.context.machine());
    Handovers handovers = new Handovers(device, reports, backend.written(), uses, backend.config().contents());
    this.book = new LinkBook(device, ledger, uses, handovers, reports);
    this.refusals = new RefusalCheck(device, reports, ledger, uses);
    this.states = new States(device, reports, ledger, space, backend.config().maxLive());
    this.teardowns = new Teardowns(device, this, ledger, space, reports);
    below.attached();
  }

  @Override
  public int classify(long phys, long length) {
    return below.kind(next.classify(phys, length), phys, length);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if ((flags & MapFlags.WINDOW) != 0 || !admits(state, 2)) {
      // A unit of a window where nothing translates: nothing is held.
      next.map(state, phys, length, flags, undo);
      return;
    }
    HandleHistory history = states.enter(state, "map");
    try {
      states.requireFree(history, "map");
      below.geometry();
      boolean bus = (flags & MapFlags.BUS_PEER) != 0;
      int seen = bus ? flags | MapFlags.PEER : flags;
      book.handovers.before(phys, length, seen);
      book.handovers.requireWritten(phys, length, seen);
      try {
        next.map(state, phys, length, flags, undo);
      } catch (RuntimeException e) {
        below.mapFailed("map", state, e);
        throw e;
      }
      Tracked tracked = states.follow(history, state, false, flags, length, null, "mapped");
      tracked.onBus = bus;
      if (!bus) {
        below.answered(tracked, state, phys, device.translates ? device.alignMask : 0, length);
        below.placed(tracked, state, 0, phys, length, flags, state.flags);
      }
      states.begin(tracked, this);
      Link link = book.add(tracked, 0, phys, length, seen, tracked.made);
      link.published = true;
      book.handovers.toDevice(link, tracked.below);
      States.watch(state);
    } finally {
      history.leave();
    }
  }

  /** Tell whether there is room to follow what a state is about to hold; where there is none, nothing is said of it either. */
  private boolean admits(MappingState state, int entries) {
    if (ledger.admits(entries)) {
      return true;
    }
    states.of(state).unfollowed = true;
    return false;
  }

  /** Tell whether there is room to follow more links of a window; where there is none, none of its links is followed any more. */
  private boolean admits(Tracked tracked, int links) {
    if (ledger.admits(links)) {
      return true;
    }
    book.giveUp(tracked);
    return false;
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    if (!admits(state, 2)) {
      next.mapSegment(state, segment, flags, undo);
      return;
    }
    HandleHistory history = states.enter(state, "map");
    try {
      states.requireFree(history, "map");
      try {
        next.mapSegment(state, segment, flags, undo);
      } catch (RuntimeException e) {
        below.mapFailed("mapSegment", state, e);
        throw e;
      }
      Tracked tracked = states.follow(history, state, false, flags, segment.byteSize(), segment, "mapped");
      below.answered(tracked, state, state.dmaAddress, 0, segment.byteSize());
      states.begin(tracked, this);
      Link link = book.add(tracked, 0, -1, segment.byteSize(), flags, tracked.made);
      link.published = true;
      book.handovers.toDevice(link, tracked.below);
      States.watch(state);
    } finally {
      history.leave();
    }
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    if (!admits(state, count + 1)) {
      next.mapGathered(state, phys, length, count, flags, undo);
      return;
    }
    HandleHistory history = states.enter(state, "map");
    try {
      states.requireFree(history, "map");
      long bytes = 0;
      for (int i = 0; i < count; i++) {
        bytes += length[i];
        book.handovers.before(phys[i], length[i], flags);
        book.handovers.requireWritten(phys[i], length[i], flags);
      }
      try {
        next.mapGathered(state, phys, length, count, flags, undo);
      } catch (RuntimeException e) {
        below.mapFailed("mapGathered", state, e);
        throw e;
      }
      Tracked tracked = states.follow(history, state, false, flags, bytes, null, "mapped");
      below.answered(tracked, state, phys[0], device.translates ? device.alignMask : 0, bytes);
      states.begin(tracked, this);
      long offset = 0;
      for (int i = 0; i < count; i++) {
        Link link = book.add(tracked, offset, phys[i], length[i], flags, tracked.made);
        link.published = true;
        book.handovers.toDevice(link, tracked.below);
        offset += length[i];
      }
      States.watch(state);
    } finally {
      history.leave();
    }
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    tearDown(state, batch, false);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    tearDown(state, batch, true);
  }

  private void tearDown(MappingState state, Retirement batch, boolean window) {
    HandleHistory history = states.enter(state, window ? "release" : "unmap");
    try {
      Tracked tracked = history.current;
      if (tracked == null) {
        passTearDown(state, batch, window);
        return;
      }
      if (tracked.window != window) {
        reports.note(Rule.WRONG_TEARDOWN, device.name, tracked.dmaAddress, tracked.length, window ? "release of a mapping" : "unmap of a window", tracked.made);
      }
      if (state.word(layer) != tracked.id) {
        reports.note(Rule.STATE_WORD_OVERWRITTEN, device.name, tracked.dmaAddress, tracked.length, "word " + layer + " of the state changed", tracked.made);
      }
      Origin at = reports.origin(window ? "window given back" : "unmapped");
      book.ending(tracked, state, batch.isUndo());
      tracked.ending = true;
      Debt debt = teardowns.begin(tracked, state, next, batch, at);
      try {
        if (window || (tracked.below & MapFlags.HEARS_UNMAP) != 0) {
          passTearDown(state, batch, window);
        }
      } catch (RuntimeException e) {
        tracked.withheld = true;
        teardowns.failed(debt);
        throw e;
      }
      tracked.tornDown = at;
      book.clear(tracked);
      history.current = null;
      states.end(tracked);
      teardowns.done(debt);
    } finally {
      history.leave();
    }
  }

  private void passTearDown(MappingState state, Retirement batch, boolean window) {
    if (window) {
      next.release(state, batch);
    } else {
      next.unmap(state, batch);
    }
  }

  @Override
  public void retire(int phase, long id, long b, long c) {
    teardowns.retired(phase, id);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    if (!admits(state, 1)) {
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
      return;
    }
    HandleHistory history = states.enter(state, "reserve");
    try {
      states.requireFree(history, "reserve");
      below.geometry();
      try {
        next.reserve(state, offsetInGranule, length, alignment, highest, flags);
      } catch (RuntimeException e) {
        below.mapFailed("reserve", state, e);
        throw e;
      }
      Tracked tracked = states.follow(history, state, true, flags, length, null, "window reserved");
      below.answered(tracked, state, offsetInGranule, device.granule - 1, length);
      states.begin(tracked, this);
      States.watch(state);
    } finally {
      history.leave();
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    Tracked tracked = states.windowOf(state, "link");
    if (tracked == null || !admits(tracked, 1)) {
      next.link(state, offset, phys, length, flags, undo);
      return;
    }
    HandleHistory history = states.enterUnlessWindow(state, tracked, "link");
    try {
      boolean clashes = book.beforeLink(tracked, offset, phys, length, flags);
      int before = state.flags;
      try {
        next.link(state, offset, phys, length, flags, undo);
      } catch (RuntimeException e) {
        below.linkFailed(tracked, state, offset, length, clashes, e);
        throw e;
      }
      linked(tracked, state, offset, phys, length, flags, before, clashes, reports.origin("linked"));
    } finally {
      States.leave(history);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    Tracked tracked = states.windowOf(state, "link");
    if (tracked == null || !admits(tracked, to - from)) {
      next.linkRun(state, offset, phys, length, from, to, flags, undo);
      return;
    }
    HandleHistory history = states.enterUnlessWindow(state, tracked, "link");
    try {
      boolean clashes = false;
      long at = offset;
      for (int i = from; i < to; i++) {
        clashes |= book.beforeLink(tracked, at, phys[i], length[i], flags);
        at += length[i];
      }
      int before = state.flags;
      try {
        next.linkRun(state, offset, phys, length, from, to, flags, undo);
      } catch (RuntimeException e) {
        below.linkFailed(tracked, state, offset, at - offset, clashes, e);
        throw e;
      }
      Origin origin = reports.origin("linked");
      at = offset;
      for (int i = from; i < to; i++) {
        linked(tracked, state, at, phys[i], length[i], flags, before, clashes, origin);
        at += length[i];
      }
    } finally {
      States.leave(history);
    }
  }

  private void linked(
      Tracked tracked, MappingState state, long offset, long phys, long length, int flags, int before, boolean clashes, @Nullable Origin origin) {
    if (clashes) {
      below.accepted(tracked, offset, length, "a link over what is linked", tracked.made);
    }
    below.placed(tracked, state, offset, phys, length, flags, before);
    below.physOf(tracked, state, offset, phys, length);
    book.add(tracked, offset, phys, length, flags, origin);
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    Tracked tracked = states.windowOf(state, "sync");
    if (tracked == null) {
      next.publish(state, offset, length, undo);
      return;
    }
    book.beforePublish(tracked, offset, length);
    next.publish(state, offset, length, undo);
    book.published(tracked, offset, length, state.flags);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    Tracked tracked = states.windowOf(state, "unlink");
    if (tracked == null) {
      next.unlink(state, offset, length, batch);
      return;
    }
    HandleHistory history = states.enterUnlessWindow(state, tracked, "unlink");
    try {
      List<Link> touching = tracked.touching(offset, length);
      boolean hole = book.unlinksHole(tracked, touching, offset, length);
      try {
        next.unlink(state, offset, length, batch);
      } catch (RuntimeException e) {
        below.failed("unlink", e);
        if (BelowChecks.isSplit(e)) {
          book.split(tracked, touching, offset, length);
        }
        throw e;
      }
      if (hole) {
        below.accepted(tracked, offset, length, "an unlink of a hole", tracked.made);
      }
      Origin at = reports.origin("unlinked");
      book.unlinked(tracked, offset, length, state.flags, at);
      below.unlinked(tracked, state, Math.max(offset, touching.isEmpty() ? offset : touching.getFirst().offset), length);
      teardowns.unlinked(tracked, batch, at);
    } finally {
      States.leave(history);
    }
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    Tracked tracked = states.windowOf(state, "protect");
    if (tracked != null) {
      book.beforeProtect(tracked, offset, length, access);
    }
    next.protect(state, offset, length, access, batch);
    if (tracked != null) {
      book.permitted(tracked, offset, length, access);
    }
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    HandleHistory history = states.of(state);
    Tracked tracked = history.current;
    if (tracked == null) {
      states.requireKnown(history, "sync");
      next.sync(state, offset, length, toward);
      return;
    }
    List<Link> links = tracked.partly ? List.of() : book.beforeSync(tracked, offset, length, toward);
    // Links may need sync that their window did not ask for.
    int asked = tracked.window ? tracked.below | (state.flags & MapFlags.NEEDS_SYNC) : tracked.below;
    if ((asked & MapFlags.HEARS_SYNC) != 0) {
      next.sync(state, offset, length, toward);
    }
    book.synced(links, offset, length, toward, state.flags);
  }

  @Override
  public void refused(@Nullable MappingState state, Misuse misuse, String call, long first, long length) {
    refusals.refused(state == null ? null : states.existing(state), misuse, call, first, length);
    next.refused(state, misuse, call, first, length);
  }

  @Override
  public void mapperClosed() {
    backend.leaks(this);
    next.mapperClosed();
  }

  @Override
  public void close() {
    below.closing();
    next.close();
  }

  Machine machine() {
    return device.context.machine();
  }

  /** Return the region of memory that is linked. */
  static @Nullable MemoryRegion regionOf(Device device, long phys, long length) {
    return phys == -1 ? null : device.memory.regionOf(phys, length);
  }

  /** The attributes that a link must share with its window. */
  static final int KEPT = DmaAttributes.ALL;
}
