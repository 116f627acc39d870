package io.twostep.examples.compare;

import io.twostep.dma.spi.Names;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * Layouts made up from a specification: parts joined by {@code +}, each {@code KIND:SIZE} or {@code KIND:SIZExCOUNT}.
 *
 * <ul>
 *   <li>{@code contiguous}: ranges that follow each other at once;
 *   <li>{@code scattered}: ranges at random places, each aligned to the power of two that holds it, no two adjacent;
 *   <li>{@code unaligned}: ranges at random places that begin anywhere in a page;
 *   <li>{@code mixed}: half of the bytes in pieces of 2 MiB, the other half in pages of 4 KiB, in random order.
 * </ul>
 */
public final class SyntheticLayout {
  private static final List<String> KINDS = List.of("contiguous", "scattered", "unaligned", "mixed");
  private static final long HUGE = 2L << 20;
  private static final long FIRST = 4L << 30;
  private static final long WINDOW = 64L << 30;

  private final String spec;
  private final SplittableRandom random;
  private final Layout.Builder layout;
  private final TreeMap<Long, Long> taken = new TreeMap<>();

  /** Where the run of adjacent ranges that is being made ends. */
  private long runEnd;

  private SyntheticLayout(String spec, String source, long seed) {
    this.spec = spec;
    random = new SplittableRandom(seed);
    layout = new Layout.Builder(source);
  }

  /**
   * Make a layout up.
   *
   * @throws IllegalArgumentException naming the part and what it must be
   */
  public static Layout of(String spec, long seed) {
    SyntheticLayout making = new SyntheticLayout(spec, spec + ", seed " + seed, seed);
    for (String part : spec.split("\\+", -1)) {
      making.add(part.strip());
    }
    return making.layout.build();
  }

  /** Return {@code bytes} in pages at random places, the last perhaps not to its end. */
  public static Layout ofPages(String source, long bytes, long seed) {
    SyntheticLayout making = new SyntheticLayout("scattered:4K", source, seed);
    for (long left = bytes; left > 0; left -= Layout.PAGE) {
      making.range("scattered:4K", making.place("scattered:4K", Layout.PAGE, Layout.PAGE, 0), Math.min(left, Layout.PAGE));
    }
    return making.layout.build();
  }

  private void add(String part) {
    int colon = part.indexOf(':');
    String kind = colon < 0 ? part : part.substring(0, colon);
    if (!KINDS.contains(kind)) {
      throw wrong(part, "there is no kind '" + kind + "'" + Names.suggest(kind, KINDS));
    }
    String size = colon < 0 ? "" : part.substring(colon + 1);
    int times = size.indexOf('x');
    int count = times < 0 ? 1 : count(part, size.substring(times + 1));
    long bytes = bytes(part, times < 0 ? size : size.substring(0, times));
    for (int i = 0; i < count; i++) {
      switch (kind) {
        case "contiguous" -> contiguous(part, bytes, i);
        case "scattered" -> range(part, place(part, bytes, aligned(bytes), 0), bytes);
        case "unaligned" -> range(part, place(part, bytes, Layout.PAGE, 1 + random.nextLong(Layout.PAGE - 1)), bytes);
        default -> mixed(part, bytes);
      }
    }
  }

  private void contiguous(String part, long bytes, int index) {
    if (index == 0) {
      runEnd = place(part, bytes, aligned(bytes), 0);
    } else if (isTaken(runEnd, bytes)) {
      throw wrong(part, "the run has no room");
    }
    range(part, runEnd, bytes);
    runEnd += bytes;
  }

  private void mixed(String part, long bytes) {
    long huge = bytes / 2 / HUGE;
    long small = Layout.pages(bytes - huge * HUGE);
    while (huge + small > 0) {
      boolean takesHuge = random.nextLong(huge + small) < huge;
      long length = takesHuge ? HUGE : Layout.PAGE;
      range(part, place(part, length, length, 0), length);
      huge -= takesHuge ? 1 : 0;
      small -= takesHuge ? 0 : 1;
    }
  }

  private static long aligned(long bytes) {
    return Math.max(Layout.PAGE, Long.highestOneBit(2 * bytes - 1));
  }

  /** Draw a place that touches nothing drawn before. */
  private long place(String part, long bytes, long alignment, long shift) {
    for (int attempt = 0; attempt < 10_000; attempt++) {
      long at = FIRST + random.nextLong((WINDOW - bytes) / alignment) * alignment + shift;
      if (!isTaken(at - Layout.PAGE, bytes + 2 * Layout.PAGE)) {
        return at;
      }
    }
    throw wrong(part, "64 GiB have no room left for it");
  }

  private boolean isTaken(long from, long bytes) {
    Map.Entry<Long, Long> before = taken.lowerEntry(from + bytes);
    return before != null && before.getKey() + before.getValue() > from;
  }

  private void range(String part, long phys, long bytes) {
    taken.put(phys, bytes);
    try {
      layout.add(phys, bytes);
    } catch (IllegalArgumentException e) {
      throw wrong(part, String.valueOf(e.getMessage()));
    }
  }

  private int count(String part, String word) {
    try {
      int count = Integer.parseInt(word);
      if (count >= 1 && count <= Layout.MOST_RANGES) {
        return count;
      }
    } catch (NumberFormatException e) {
      throw wrong(part, "'" + word + "' is no count");
    }
    throw wrong(part, "the count " + word + " must be from 1 to " + Layout.MOST_RANGES);
  }

  private long bytes(String part, String word) {
    long bytes;
    try {
      bytes = Names.parseBytes(word);
    } catch (NumberFormatException e) {
      throw wrong(part, "'" + word + "' is no size such as 4096, 128K or 2M");
    }
    if (bytes < 1 || bytes > Layout.MOST_BYTES) {
      throw wrong(part, "the size " + word + " must be from 1 to " + Layout.MOST_BYTES + " bytes");
    }
    return bytes;
  }

  private IllegalArgumentException wrong(String part, String what) {
    return new IllegalArgumentException(
        "--synthetic " + spec + ": in '" + part + "' " + what + "; parts are KIND:SIZE or KIND:SIZExCOUNT such as scattered:4096x256, joined by +");
  }
}
