package io.twostep.backend.debug;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Keeps the links of one device's mappings and windows, and judges what is done with them. */
final class LinkBook {
  final Handovers handovers;
  private final Device device;
  private final Ledger ledger;
  private final Uses uses;
  private final Reports reports;

  LinkBook(Device device, Ledger ledger, Uses uses, Handovers handovers, Reports reports) {
    this.device = device;
    this.ledger = ledger;
    this.uses = uses;
    this.handovers = handovers;
    this.reports = reports;
  }

  private void crime(Rule rule, Tracked tracked, long offset, long length, String detail, @Nullable Origin earlier) {
    reports.crime(rule, device.name, tracked.dmaAddress + offset, length, detail, earlier);
  }

  private void note(Rule rule, Tracked tracked, long offset, long length, String detail, @Nullable Origin earlier) {
    reports.note(rule, device.name, tracked.dmaAddress + offset, length, detail, earlier);
  }

  private static String at(long offset) {
    return "at offset " + Hex.of(offset) + " of the window";
  }

  /** Judge a link before it is made; returns whether it must be refused. */
  boolean beforeLink(Tracked tracked, long offset, long phys, long length, int flags) {
    int wider = flags & ~tracked.asked & MapFlags.ACCESS;
    int other = (flags ^ tracked.asked) & CheckingOps.KEPT;
    boolean narrower = (tracked.asked & MapFlags.WINDOW) == 0 && (tracked.asked & ~flags & MapFlags.ACCESS) != 0;
    if (wider != 0 || other != 0 || narrower) {
      crime(
          Rule.DIRECTION_CHANGED,
          tracked,
          offset,
          length,
          "linked with flags " + Hex.of(flags) + ", reserved with " + Hex.of(tracked.asked),
          tracked.made);
    }
    List<Link> touching = tracked.touching(offset, length);
    if (!touching.isEmpty()) {
      Link first = touching.getFirst();
      note(
          Rule.LINK_OVERLAPS,
          tracked,
          offset,
          length,
          "physical " + Hex.range(first.phys, first.length) + " is linked in the same granule, " + at(first.offset),
          first.linkedAt);
      return true;
    }
    handovers.before(phys, length, flags);
    handovers.requireWritten(phys, length, flags);
    return false;
  }

  Link add(Tracked tracked, long offset, long phys, long length, int flags, @Nullable Origin origin) {
    Link link = new Link(tracked, ledger.nextId(), offset, length, phys, flags, origin, CheckingOps.regionOf(device, phys, length));
    enter(link);
    return link;
  }

  private void enter(Link link) {
    link.owner.add(link);
    if (link.phys != -1) {
      // Of two that come at once, the second finds the first.
      uses.add(link);
      if (link.deviceWrites() || link.deviceOnlyReads()) {
        contend(link);
      }
    }
    ledger.count(1);
  }

  /** Mark links whose bytes another one may write; a mark is only set, since other threads set it too. */
  private void contend(Link link) {
    for (Link other : uses.within(link.phys, link.phys + (link.length - 1))) {
      if (other != link && link.deviceWrites()) {
        other.contended = true;
      }
      if (other != link && other.deviceWrites()) {
        link.contended = true;
      }
    }
  }

  private void leave(Link link) {
    link.owner.remove(link);
    forget(link);
  }

  private void forget(Link link) {
    if (link.phys != -1) {
      uses.remove(link);
    }
    link.drop();
    ledger.count(-1);
  }

  void beforePublish(Tracked tracked, long offset, long length) {
    if (tracked.touching(offset, length).isEmpty()) {
      Tracked.Gone gone = tracked.unlinkOf(offset);
      crime(
          Rule.PUBLISH_OF_HOLE,
          tracked,
          offset,
          length,
          gone == null ? "nothing was ever linked " + at(offset) : "it was unlinked earlier",
          gone == null ? tracked.made : gone.at());
    }
  }

  /** Give a part of a window to the device: what of its links lies there. */
  void published(Tracked tracked, long offset, long length, int below) {
    for (Link part : cutOut(tracked, offset, length)) {
      if (!part.published) {
        part.published = true;
        handovers.toDevice(part, below);
      }
    }
  }

  /** Cut links at the edges of a range and return those within; the parts are links of their own from now on. */
  private List<Link> cutOut(Tracked tracked, long offset, long length) {
    List<Link> within = new ArrayList<>(1);
    // Other threads cut other parts of what one call linked.
    synchronized (tracked) {
      for (Link link : tracked.touching(offset, length)) {
        if (link.reaches(offset, length)) {
          within.add(cutOut(link, Math.max(link.offset, offset), Math.min(link.end(), offset + length)));
        }
      }
    }
    return within;
  }

  private Link cutOut(Link link, long from, long to) {
    if (from == link.offset && to == link.end()) {
      return link;
    }
    Link before = link.offset < from ? link.part(ledger.nextId(), link.offset, from) : null;
    Link behind = to < link.end() ? link.part(ledger.nextId(), to, link.end()) : null;
    Link part = link.part(ledger.nextId(), from, to);
    leave(link);
    if (before != null) {
      enter(before);
    }
    if (behind != null) {
      enter(behind);
    }
    enter(part);
    return part;
  }

  /** Judge an unlink before it is made; returns whether it must be refused. */
  boolean unlinksHole(Tracked tracked, List<Link> touching, long offset, long length) {
    long hole = tracked.firstHole(touching, offset, length);
    if (hole == -1) {
      return false;
    }
    Tracked.Gone gone = tracked.unlinkOf(hole);
    note(
        Rule.UNLINK_OF_HOLE,
        tracked,
        offset,
        length,
        "nothing is linked " + at(hole) + (gone == null ? "" : ": it was unlinked earlier"),
        gone == null ? tracked.made : gone.at());
    return true;
  }

  void split(Tracked tracked, List<Link> touching, long offset, long length) {
    Link cut = touching.isEmpty() ? null : touching.getFirst();
    note(
        Rule.UNLINK_SPLITS,
        tracked,
        offset,
        length,
        cut == null ? "nothing is linked there" : "the piece " + at(cut.offset) + " has " + Hex.of(cut.length) + " bytes",
        cut == null ? tracked.made : cut.linkedAt);
  }

  void unlinked(Tracked tracked, long offset, long length, int below, @Nullable Origin at) {
    for (Link part : cutOut(tracked, offset, length)) {
      handovers.back(part, below, false, false);
      leave(part);
    }
    tracked.remember(offset, length, at);
  }

  void beforeProtect(Tracked tracked, long offset, long length, int access) {
    long hole = tracked.firstHole(tracked.touching(offset, length), offset, length);
    if (hole != -1) {
      note(Rule.PROTECT_OF_HOLE, tracked, offset, length, "nothing is linked " + at(hole), tracked.made);
    }
    if ((access & ~tracked.asked & MapFlags.ACCESS) != 0) {
      crime(Rule.ACCESS_WIDENED, tracked, offset, length, "access " + Hex.of(access) + " of a window of " + Hex.of(tracked.asked), tracked.made);
    }
  }

  /** Follow a change of permissions: from now on the device may do what {@code access} says, and other mappings of the memory see it write or not. */
  void permitted(Tracked tracked, long offset, long length, int access) {
    for (Link part : cutOut(tracked, offset, length)) {
      Link changed = part.part(ledger.nextId(), part.offset, part.end(), (part.flags & ~MapFlags.ACCESS) | (access & MapFlags.ACCESS));
      leave(part);
      enter(changed);
    }
  }

  List<Link> beforeSync(Tracked tracked, long offset, long length, int toward) {
    List<Link> links = tracked.touching(offset, length);
    long hole = tracked.firstHole(links, offset, length);
    if (hole != -1) {
      Tracked.Gone gone = tracked.unlinkOf(hole);
      crime(
          Rule.SYNC_OF_HOLE,
          tracked,
          offset,
          length,
          "nothing is linked " + at(hole) + (gone == null ? "" : ": it was unlinked earlier"),
          gone == null ? tracked.made : gone.at());
    }
    for (Link link : links) {
      if (link.reaches(offset, length)) {
        beforeSync(tracked, link, Math.max(link.offset, offset), Math.min(link.end(), offset + length), toward);
      }
    }
    return links;
  }

  private void beforeSync(Tracked tracked, Link link, long from, long to, int toward) {
    if (!link.published) {
      crime(Rule.SYNC_BEFORE_PUBLISH, tracked, from, to - from, "what is linked " + at(link.offset) + " was not given to the device", link.linkedAt);
    } else if (toward == DmaOps.TOWARD_CPU) {
      PartSums.Change change = handovers.change(link, from, to);
      if (change != null) {
        reports.crime(
            link.deviceOnlyReads() ? Rule.SYNC_DIRECTION : Rule.BOUNCE_WITHOUT_SYNC,
            device.name,
            link.firstByte(change.position()),
            change.length(),
            "these bytes changed since they were handed over" + (link.deviceWrites() ? ", and are lost, because the device's copy replaces them" : ""),
            link.linkedAt);
      }
    } else if (link.phys != -1) {
      handovers.requireWritten(link.phys + (from - link.offset), to - from, link.flags);
    }
  }

  void synced(List<Link> links, long offset, long length, int toward, int below) {
    for (Link link : links) {
      if (link.reaches(offset, length)) {
        long from = Math.max(link.offset, offset);
        long to = Math.min(link.end(), offset + length);
        if (toward == DmaOps.TOWARD_CPU) {
          handovers.taken(link, from, to);
        } else if (link.published) {
          handovers.toDevice(link, below, from, to);
        }
      }
    }
  }

  /** Judge what a mapping or window still holds, before it is torn down; but not again where that failed before, for then the driver let go of it earlier. */
  void ending(Tracked tracked, MappingState state, boolean undo) {
    if (tracked.withheld) {
      return;
    }
    for (Link link : tracked.all()) {
      handovers.back(link, state.flags, true, undo);
    }
  }

  /** Forget the links of a window of which not all are followed. */
  void giveUp(Tracked tracked) {
    synchronized (tracked) {
      tracked.partly = true;
      tracked.all().forEach(this::leave);
    }
  }

  /** Forget the links of what was torn down. */
  void clear(Tracked tracked) {
    for (Link link : tracked.takeAll()) {
      forget(link);
    }
  }
}
