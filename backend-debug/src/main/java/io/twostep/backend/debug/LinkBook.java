package io.twostep.backend.debug;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
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
    index(link);
  }

  private void index(Link link) {
    if (link.phys != -1) {
      if (link.deviceWrites() || link.deviceOnlyReads()) {
        contend(link);
      }
      uses.add(link);
    }
    ledger.count(1);
  }

  /** Mark links whose bytes another one may write. */
  private void contend(Link link) {
    for (Link other : uses.within(link.phys, link.phys + (link.length - 1))) {
      other.contended |= link.deviceWrites();
      link.contended |= other.deviceWrites();
    }
  }

  private void forget(Link link) {
    if (link.phys != -1) {
      uses.remove(link);
    }
    ledger.count(-1);
  }

  List<Link> beforePublish(Tracked tracked, long offset, long length) {
    List<Link> links = tracked.touching(offset, length);
    if (links.isEmpty()) {
      Tracked.Gone gone = tracked.unlinkOf(offset);
      crime(
          Rule.PUBLISH_OF_HOLE,
          tracked,
          offset,
          length,
          gone == null ? "nothing was ever linked " + at(offset) : "it was unlinked earlier",
          gone == null ? tracked.made : gone.at());
    }
    return links;
  }

  void published(List<Link> links, int below) {
    for (Link link : links) {
      if (!link.published) {
        link.published = true;
        handovers.toDevice(link, below);
      }
    }
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

  void unlinked(Tracked tracked, List<Link> touching, long offset, long length, int below, @Nullable Origin at) {
    for (Link link : touching) {
      handovers.back(link, below, false);
      boolean head = link.offset < offset;
      boolean tail = link.end() > offset + length;
      Link before = head ? link.part(ledger.nextId(), link.offset, offset) : null;
      Link after = tail ? link.part(ledger.nextId(), offset + length, link.end()) : null;
      forget(link);
      tracked.replace(link, before, after);
      keep(before, below);
      keep(after, below);
    }
    tracked.remember(offset, length, at);
  }

  private void keep(@Nullable Link part, int below) {
    if (part != null) {
      index(part);
      if (part.published && !part.cpuOwned) {
        handovers.toDevice(part, below);
      }
    }
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
    long end = offset + length;
    for (Link link : tracked.touching(offset, length)) {
      long from = Math.max(link.offset, offset);
      long to = Math.min(link.end(), end);
      forget(link);
      Link before = link.offset < from ? link.part(ledger.nextId(), link.offset, from) : null;
      Link after = link.end() > to ? link.part(ledger.nextId(), to, link.end()) : null;
      tracked.replace(link, before, after);
      if (before != null) {
        index(before);
      }
      if (after != null) {
        index(after);
      }
      enter(link.part(ledger.nextId(), from, to, (link.flags & ~MapFlags.ACCESS) | (access & MapFlags.ACCESS)));
    }
  }

  List<Link> beforeSync(Tracked tracked, long offset, long length, int toward, int below) {
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
      if (!link.published) {
        crime(Rule.SYNC_BEFORE_PUBLISH, tracked, offset, length, "what is linked " + at(link.offset) + " was not given to the device", link.linkedAt);
      } else if (toward == DmaOps.TOWARD_CPU && link.deviceOnlyReads() && !handovers.isUntouched(link)) {
        crime(Rule.SYNC_DIRECTION, tracked, offset, length, "its bytes changed since they were handed over", link.linkedAt);
      } else if (toward == DmaOps.TOWARD_DEVICE && link.phys != -1) {
        handovers.requireWritten(link.phys, link.length, link.flags);
      }
    }
    return links;
  }

  void synced(List<Link> links, int toward, int below) {
    for (Link link : links) {
      if (toward == DmaOps.TOWARD_CPU) {
        link.cpuOwned = true;
        handovers.taken(link);
      } else if (link.published) {
        handovers.toDevice(link, below);
      }
    }
  }

  /** Judge what a mapping or window still holds, before it is torn down. */
  void ending(Tracked tracked, MappingState state) {
    for (Link link : tracked.all()) {
      handovers.back(link, state.flags, true);
    }
  }

  /** Forget the links of what was torn down. */
  void clear(Tracked tracked) {
    for (Link link : tracked.all()) {
      forget(link);
    }
  }
}
