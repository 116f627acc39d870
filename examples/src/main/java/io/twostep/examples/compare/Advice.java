package io.twostep.examples.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What follows from the figures of one comparison, each sentence with the figures that it follows from. */
public final class Advice {
  /** Differences below this share say nothing. */
  private static final double EQUAL = 0.1;

  private static final List<MapStrategy> PER_REQUEST = List.of(MapStrategy.PER_PAGE, MapStrategy.SCATTER_LIST, MapStrategy.TWO_STEP);

  private final Comparison of;
  private final List<String> sentences = new ArrayList<>();

  private Advice(Comparison of) {
    this.of = of;
  }

  /** Return the advice, one paragraph for each question. */
  public static List<String> of(Comparison comparison) {
    Advice advice = new Advice(comparison);
    advice.mapping(StackKind.IOMMU, "Behind the IOMMU");
    advice.registering(StackKind.IOMMU, "behind the IOMMU");
    advice.lazy();
    advice.format();
    advice.mapping(StackKind.DIRECT, "Without an IOMMU");
    advice.registering(StackKind.DIRECT, "without an IOMMU");
    advice.bouncing(StackKind.IOMMU, StackKind.BOUNCED_IOMMU, "behind the IOMMU");
    advice.bouncing(StackKind.DIRECT, StackKind.BOUNCED_DIRECT, "without an IOMMU");
    advice.distrust();
    advice.caches(StackKind.IOMMU, StackKind.NON_COHERENT_IOMMU, "behind the IOMMU");
    advice.caches(StackKind.DIRECT, StackKind.NON_COHERENT_DIRECT, "without an IOMMU");
    comparison.refusals().forEach(refusal -> advice.say("%s cannot map these buffers: %s.", refusal.of().label(), refusal.reason()));
    return List.copyOf(advice.sentences);
  }

  @SuppressWarnings("AnnotateFormatMethod")
  private void say(String format, Object... arguments) {
    sentences.add(String.format(Locale.ROOT, format, arguments));
  }

  /**
   * Return strategies in the order in which to choose them: the cheapest first or, of those that cost the same, the one that keeps the least for a page; then the others, cheapest first.
   */
  public static List<StrategyCost> ranked(Comparison of, List<StackKind.Case> cases) {
    List<StrategyCost> ranked = new ArrayList<>();
    for (StackKind.Case each : cases) {
      StrategyCost cost = of.cost(each.stack(), each.strategy());
      if (cost != null) {
        ranked.add(cost);
      }
    }
    ranked.sort(Comparator.comparingDouble(StrategyCost::nanosPerIo));
    ranked.stream()
        .filter(cost -> isEqual(cost.nanosPerIo(), ranked.getFirst().nanosPerIo()))
        .min(Comparator.comparingDouble(cost -> cost.counted().metadataBytesPerPage()))
        .ifPresent(
            choice -> {
              ranked.remove(choice);
              ranked.addFirst(choice);
            });
    return ranked;
  }

  private List<StrategyCost> perRequest(StackKind stack) {
    return ranked(of, PER_REQUEST.stream().map(strategy -> new StackKind.Case(stack, strategy)).toList());
  }

  /** Which way to map each request, and what it does less of. */
  private void mapping(StackKind stack, String where) {
    List<StrategyCost> ranked = perRequest(stack);
    if (ranked.isEmpty()) {
      return;
    }
    StrategyCost best = ranked.getFirst();
    List<StrategyCost> others = ranked.subList(1, ranked.size());
    boolean alone = others.stream().noneMatch(other -> isEqual(best.nanosPerIo(), other.nanosPerIo()));
    say(
        "%s, %s is %s to map requests of these buffers: %s a request (%s).%s",
        where,
        best.of().strategy().text(),
        alone ? "the cheapest way" : "as cheap as any way",
        time(best.nanosPerIo()),
        parts(best),
        others.isEmpty() ? "" : " " + others.stream().map(other -> against(best, other)).collect(Collectors.joining("; ")) + ".");
  }

  private static String against(StrategyCost best, StrategyCost other) {
    String name = other.of().strategy().text();
    if (isEqual(best.nanosPerIo(), other.nanosPerIo())) {
      double kept = other.counted().metadataBytesPerPage();
      double least = best.counted().metadataBytesPerPage();
      return String.format(
          Locale.ROOT, "%s costs the same (%s)%s", name, time(other.nanosPerIo()), kept > least ? ", and keeps " + number(kept) + " B a page instead of " + number(least) : "");
    }
    return name + " takes " + times(other.nanosPerIo() / best.nanosPerIo()) + " as long, with " + difference(best, other);
  }

  /** Name what was counted differently; where nothing was, the processor's time is the difference. */
  private static String difference(StrategyCost best, StrategyCost other) {
    List<String> differences = new ArrayList<>();
    Counted less = best.counted();
    Counted more = other.counted();
    differ(differences, "invalidations", less.invalidations(), more.invalidations(), less.ios());
    differ(differences, "I/O address allocations", less.iovaAllocations(), more.iovaAllocations(), less.ios());
    differ(differences, "entries", less.hardwareEntries(), more.hardwareEntries(), less.ios());
    double mapping = other.mapNanosPerIo() + other.unmapNanosPerIo();
    differences.add(time(mapping) + " instead of " + time(best.mapNanosPerIo() + best.unmapNanosPerIo()) + " on the processor");
    return String.join(", ", differences);
  }

  private static void differ(List<String> differences, String what, long less, long more, long ios) {
    if (more != less) {
      differences.add(String.format(Locale.ROOT, "%s %s instead of %s", number((double) more / ios), what, number((double) less / ios)));
    }
  }

  private static String parts(StrategyCost cost) {
    return String.format(
        Locale.ROOT,
        "%s mapping, %s unmapping%s; %s",
        time(cost.mapNanosPerIo()),
        time(cost.unmapNanosPerIo()),
        cost.simulatedNanosPerIo() == 0 ? "" : ", " + time(cost.simulatedNanosPerIo()) + " simulated translation",
        plural((double) cost.counted().hardwareEntries() / cost.counted().ios(), "entry", "entries"));
  }

  /** Whether buffers that stay should be registered, and after how many uses. */
  private void registering(StackKind stack, String where) {
    StrategyCost best = chosen(stack);
    StrategyCost registered = of.cost(stack, MapStrategy.REGISTERED);
    if (best == null || registered == null) {
      return;
    }
    double saved = best.nanosPerIo() - registered.nanosPerIo();
    if (saved <= EQUAL * best.nanosPerIo()) {
      say(
        "Registering the buffers %s saves nothing to speak of: %s a request instead of %s.", where, time(registered.nanosPerIo()), time(best.nanosPerIo()));
      return;
    }
    double all = registered.timed().registerNanosPerPage().median() * Layout.pages(of.layout().bytes());
    double once = all * Math.min(of.ioSize(), of.layout().bytes()) / of.layout().bytes();
    say(
        "Buffers that stay should be registered %s: a request then costs %s instead of %s, and registering costs %s for the memory of a request, which is paid"
        + " back once each buffer has been used %s; but %s.",
        where, time(registered.nanosPerIo()), time(best.nanosPerIo()), time(once), uses(once / saved),
        stack == StackKind.DIRECT
            ? "what is registered keeps " + number(registered.counted().metadataBytesPerPage()) + " B a page"
            : "the device can reach all of them all the time");
  }

  /** What putting invalidation off would bring. */
  private void lazy() {
    StrategyCost strict = of.cost(StackKind.IOMMU, MapStrategy.TWO_STEP);
    StrategyCost lazy = of.cost(StackKind.IOMMU, MapStrategy.LAZY);
    if (strict == null || lazy == null) {
      return;
    }
    double saved = strict.nanosPerIo() - lazy.nanosPerIo();
    if (saved <= EQUAL * strict.nanosPerIo()) {
      say(
        "Lazy invalidation saves nothing to speak of (%s a request instead of %s, %s instead of %,d), so stay strict.",
        time(lazy.nanosPerIo()), time(strict.nanosPerIo()), plural((double) lazy.counted().invalidations(), "invalidation", "invalidations"), strict.counted().invalidations());
    } else {
      say(
        "Lazy invalidation saves %s of %s a request (%s instead of %,d); until the flush the device can still reach memory that was unmapped, so only for devices you trust.",
        time(saved), time(strict.nanosPerIo()), plural((double) lazy.counted().invalidations(), "invalidation", "invalidations"), strict.counted().invalidations());
    }
  }

  /** Whether the other table format makes a difference. */
  private void format() {
    StrategyCost preferred = of.cost(StackKind.IOMMU, MapStrategy.TWO_STEP);
    StrategyCost amd = of.cost(StackKind.AMD_V1, MapStrategy.TWO_STEP);
    if (preferred == null || amd == null) {
      return;
    }
    String figures = time(amd.nanosPerIo()) + " a request instead of " + time(preferred.nanosPerIo());
    say(
        "In AMD's table format, two-step %s, with %,d table writes instead of %,d.",
        isEqual(amd.nanosPerIo(), preferred.nanosPerIo()) ? "costs the same: " + figures : "takes " + figures,
        amd.counted().tableWrites(), preferred.counted().tableWrites());
  }

  /** Whether copying beats mapping. */
  private void bouncing(StackKind mapped, StackKind bounced, String where) {
    StrategyCost best = chosen(mapped);
    StrategyCost copy = of.cost(bounced, MapStrategy.BOUNCE);
    if (best == null || copy == null) {
      return;
    }
    double ratio = copy.nanosPerIo() / best.nanosPerIo();
    String figures = time(copy.nanosPerIo()) + " a request against " + time(best.nanosPerIo());
    if (Math.abs(ratio - 1) <= EQUAL) {
      say(
        "Copying through bounce slots costs the same as mapping %s: %s.", where, figures);
    } else if (ratio < 1) {
      say(
        "Copying through bounce slots is cheaper than mapping %s: %s.", where, figures);
    } else {
      say(
        "Copying through bounce slots costs %s as much as mapping %s: %s, for %,d bytes copied.", times(ratio), where, figures, copy.counted().bouncedBytes());
    }
  }

  /** What protecting from the device costs. */
  private void distrust() {
    StrategyCost trusted = of.cost(StackKind.IOMMU, MapStrategy.TWO_STEP);
    StrategyCost untrusted = of.cost(StackKind.UNTRUSTED, MapStrategy.TWO_STEP);
    if (trusted == null || untrusted == null) {
      return;
    }
    long edges = untrusted.counted().bouncedBytes();
    String copied =
        edges == 0
            ? "nothing copied: all ranges and requests begin and end on a page"
            : String.format(Locale.ROOT, "%,d of %,d bytes copied, at edges of ranges or requests that share a page with others", edges, of.layout().bytes());
    say(
        "A device that is not trusted has %s; two-step takes %s a request instead of %s.", copied, time(untrusted.nanosPerIo()), time(trusted.nanosPerIo()));
  }

  /** What a device costs that does not see CPU caches. */
  private void caches(StackKind coherent, StackKind blind, String where) {
    StrategyCost seeing = of.cost(coherent, MapStrategy.TWO_STEP);
    StrategyCost lines = of.cost(blind, MapStrategy.TWO_STEP);
    if (seeing == null || lines == null) {
      return;
    }
    long copied = lines.counted().bouncedBytes();
    say(
        "For a device that does not see CPU caches, %s, %s cache lines a request have to be written back, or looked at for it, which is the hardware's time and in no figure here, and %s; finding"
            + " them, two-step takes %s a request instead of %s.",
        where,
        number((double) lines.counted().cleanedLines() / lines.counted().ios()),
        copied == 0
            ? "nothing is copied: no edge shares a line with others"
            : String.format(Locale.ROOT, "%,d of %,d bytes are copied, in pieces whose edges share a line with others", copied, of.layout().bytes()),
        time(lines.nanosPerIo()),
        time(seeing.nanosPerIo()));
  }

  private @Nullable StrategyCost chosen(StackKind stack) {
    List<StrategyCost> ranked = perRequest(stack);
    return ranked.isEmpty() ? null : ranked.getFirst();
  }

  /** Tell whether two times differ by too little to speak of. */
  public static boolean isEqual(double a, double b) {
    return Math.abs(a - b) <= EQUAL * Math.min(a, b);
  }

  private static String plural(double count, String one, String more) {
    String number = number(count);
    return number + " " + (number.equals("1") ? one : more);
  }

  private static String uses(double times) {
    return times <= 1 ? "once" : String.format(Locale.ROOT, "%,.0f times", Math.ceil(times));
  }

  /** Return a ratio as people read it. */
  private static String times(double ratio) {
    return String.format(Locale.ROOT, ratio < 100 ? "%.1f times" : "%,.0f times", ratio);
  }

  /** Return a number with one decimal, unless that is 0. */
  private static String number(double value) {
    double rounded = Math.rint(value * 10) / 10;
    return String.format(Locale.ROOT, rounded == Math.rint(rounded) ? "%,.0f" : "%,.1f", rounded);
  }

  /** Return a time as people read it. */
  public static String time(double nanos) {
    if (nanos < 1000) {
      return String.format(Locale.ROOT, nanos < 10 ? "%.1f ns" : "%.0f ns", nanos);
    }
    return nanos < 1_000_000 ? String.format(Locale.ROOT, "%.1f us", nanos / 1000) : String.format(Locale.ROOT, "%.1f ms", nanos / 1_000_000);
  }
}
