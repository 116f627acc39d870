package io.twostep.backend.debug;

import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MapFlags;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** One mapping or window that lives, or is being torn down. Its links are guarded by itself: disjoint parts of a sparse window come and go at once. */
final class Tracked {
  private static final int REMEMBERED = 16;

  /** A part that was unlinked. */
  record Gone(long offset, long length, @Nullable Origin at) {}

  final String device;
  final long id;
  final boolean window;
  final int asked;
  final long dmaAddress;
  final long length;
  final long granule;
  final @Nullable Origin made;
  volatile @Nullable Origin tornDown;

  /** Whether the address is a peer's bus address, none of the address space; set before it is followed. */
  boolean onBus;

  /** The caller's memory where that is not the machine's, until it is torn down. */
  @Nullable MemorySegment foreign;

  /** Set when teardown begins. */
  volatile boolean ending;

  /** Set when a leak was reported. */
  volatile boolean leaked;

  /** Set when there was no room to follow all of its links: nothing is said of them any more. */
  volatile boolean partly;

  /** Set when a teardown failed: the mapper keeps what is left in quarantine. */
  volatile boolean withheld;

  /** The latest teardown that failed, whose batch may be used for the next. */
  @Nullable Debt refused;

  /** Set when the owner of its memory took it back: its translations are gone, and its addresses wait for the driver's teardown. */
  volatile boolean takenBack;

  /** The ops that made it; set before it is followed, and until it is torn down. */
  private @Nullable CheckingOps owner;

  /** What the layers below set, this layer's own bits not among it. */
  int below;

  private final TreeMap<Long, Link> links = new TreeMap<>();
  private boolean linkedOnce;
  private final ArrayDeque<Gone> unlinked = new ArrayDeque<>();

  Tracked(
      String device, long id, boolean window, int asked, long dmaAddress, long length, long granule, @Nullable MemorySegment foreign, @Nullable Origin made) {
    this.device = device;
    this.id = id;
    this.window = window;
    this.asked = asked;
    this.dmaAddress = dmaAddress;
    this.length = length;
    this.granule = granule;
    this.foreign = foreign;
    this.made = made;
  }

  void owner(CheckingOps ops) {
    owner = ops;
  }

  boolean isOf(CheckingOps ops) {
    return owner == ops;
  }

  boolean isOf(Machine machine) {
    CheckingOps ops = owner;
    return ops != null && ops.machine() == machine;
  }

  boolean coherent() {
    return (asked & MapFlags.COHERENT_MEMORY) != 0;
  }

  long firstGranule() {
    return dmaAddress & -granule;
  }

  long lastByte() {
    return dmaAddress + (length - 1) | (granule - 1);
  }

  boolean holds(long address) {
    return Long.compareUnsigned(address, firstGranule()) >= 0 && Long.compareUnsigned(address, lastByte()) <= 0;
  }

  synchronized void add(Link link) {
    links.put(link.offset, link);
    linkedOnce = true;
  }

  /** Tell whether anything is, or ever was, mapped or linked. */
  synchronized boolean wasLinked() {
    return linkedOnce;
  }

  synchronized List<Link> all() {
    return new ArrayList<>(links.values());
  }

  /** Let go of all that was held, so that it may be remembered for long, and return the links. */
  synchronized List<Link> takeAll() {
    List<Link> all = all();
    links.clear();
    foreign = null;
    owner = null;
    refused = null;
    return all;
  }

  /** Return the links that share a granule with the range, in order. */
  synchronized List<Link> touching(long offset, long bytes) {
    List<Link> found = new ArrayList<>(1);
    long first = granuleOf(offset);
    long last = granuleOf(offset + bytes - 1);
    Map.Entry<Long, Link> before = links.floorEntry(offset);
    if (before != null) {
      before = links.lowerEntry(before.getKey()) == null ? before : links.lowerEntry(before.getKey());
    }
    for (Link link : links.tailMap(before == null ? 0L : before.getKey(), true).values()) {
      if (granuleOf(link.offset) > last) {
        break;
      }
      if (granuleOf(link.end() - 1) >= first) {
        found.add(link);
      }
    }
    return found;
  }

  /** Return the number of the granule that an offset lies in, counted from the first of the window. */
  private long granuleOf(long offset) {
    return ((dmaAddress & (granule - 1)) + offset) >>> Long.numberOfTrailingZeros(granule);
  }

  /** Return the first offset of a range at which a whole granule is linked to nothing, or -1. */
  long firstHole(List<Link> touching, long offset, long bytes) {
    long next = granuleOf(offset);
    for (Link link : touching) {
      if (granuleOf(link.offset) > next) {
        break;
      }
      next = Math.max(next, granuleOf(link.end() - 1) + 1);
    }
    long last = granuleOf(offset + bytes - 1);
    return next > last ? -1 : Math.max(offset, (next << Long.numberOfTrailingZeros(granule)) - (dmaAddress & (granule - 1)));
  }

  synchronized void remove(Link link) {
    links.remove(link.offset, link);
  }

  synchronized void remember(long offset, long bytes, @Nullable Origin at) {
    if (unlinked.size() == REMEMBERED) {
      unlinked.removeFirst();
    }
    unlinked.addLast(new Gone(offset, bytes, at));
  }

  /** Return the latest unlink of an offset that is remembered, or null. */
  synchronized @Nullable Gone unlinkOf(long offset) {
    Gone latest = null;
    for (Gone gone : unlinked) {
      if (offset >= gone.offset() && offset - gone.offset() < gone.length()) {
        latest = gone;
      }
    }
    return latest;
  }

  /** Return the link that holds an offset, or else one that shares its granule; null if there is none. */
  @Nullable Link linkAt(long offset) {
    List<Link> found = touching(offset, 1);
    for (Link link : found) {
      if (link.reaches(offset, 1)) {
        return link;
      }
    }
    return found.isEmpty() ? null : found.getFirst();
  }
}
