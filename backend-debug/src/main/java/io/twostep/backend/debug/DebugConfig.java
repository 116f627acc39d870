package io.twostep.backend.debug;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What the checker does. Immutable.
 *
 * @param checks whether rules are checked
 * @param measure whether calls are counted and timed
 * @param onError what happens on a report
 * @param limit how many reports are logged and kept whole; the others are counted
 * @param devices addresses of the devices checked; empty for all
 * @param ignore rules that are not reported
 * @param caller prefix of class names: only reports with such a class in the trace of where it happened; empty for all
 * @param traces whether stack traces are taken
 * @param depth frames of a trace that a report shows
 * @param contents whether memory is read, to find writes of the CPU while the device owns it and bytes never written
 * @param faults whether refused accesses of devices are reported
 * @param entries most mappings and links followed at once; beyond, checking ends with a warning
 * @param maxLive most mappings that one device should hold
 * @param sample one call of a kind in so many is timed, rounded up to a power of two; 0 for none
 */
public record DebugConfig(
    boolean checks,
    boolean measure,
    OnError onError,
    int limit,
    Set<String> devices,
    Set<Rule> ignore,
    String caller,
    boolean traces,
    int depth,
    boolean contents,
    boolean faults,
    int entries,
    int maxLive,
    int sample) {

  static final List<Setting> SETTINGS =
      List.of(
          new Setting("checks", "true", "check the rules: true or false"),
          new Setting("measure", "true", "count and time calls: true or false"),
          new Setting("on-error", "log", "what happens on a report: throw, log or count"),
          new Setting("limit", "16", "reports that are logged and kept whole, 0 to 65536; the others are counted"),
          new Setting("devices", "", "addresses of devices to check, with commas; empty: all"),
          new Setting("ignore", "", "rules that are not reported, with commas, such as sync-of-hole"),
          new Setting("caller", "", "report only what has a class with this prefix in its stack trace; empty: all"),
          new Setting("traces", "true", "take stack traces: true or false"),
          new Setting("depth", "12", "frames of a stack trace that a report shows, 1 to 1024"),
          new Setting("contents", "true", "read mapped memory to find CPU writes while the device owns it: true or false"),
          new Setting("faults", "true", "report refused accesses of devices: true or false"),
          new Setting("entries", "1048576", "mappings and links followed at once, at least 16; beyond, checking ends with a warning"),
          new Setting("max-live", "65536", "mappings one device should hold at most"),
          new Setting("sample", "1024", "one call of a kind in so many is timed, rounded up to a power of two; 0 for none"));

  /** Copy the sets. */
  public DebugConfig {
    devices = Set.copyOf(devices);
    ignore = Set.copyOf(ignore);
  }

  static DebugConfig of(Settings settings) {
    return new DebugConfig(
        settings.flag("checks"),
        settings.flag("measure"),
        settings.choice("on-error", OnError.class),
        settings.number("limit", 0, 65_536),
        names(settings.text("devices")),
        rules(settings.text("ignore")),
        settings.text("caller").trim(),
        settings.flag("traces"),
        settings.number("depth", 1, 1024),
        settings.flag("contents"),
        settings.flag("faults"),
        settings.number("entries", 16, Integer.MAX_VALUE),
        settings.number("max-live", 1, Integer.MAX_VALUE),
        settings.number("sample", 0, Integer.MAX_VALUE));
  }

  /** Return the configuration of the default settings. */
  public static DebugConfig defaults() {
    return of(Settings.defaults(new DebugBackendPlugin()));
  }

  private static Set<String> names(String text) {
    Set<String> names = new HashSet<>();
    for (String name : text.split(",", -1)) {
      if (!name.isBlank()) {
        names.add(name.trim());
      }
    }
    return names;
  }

  private static Set<Rule> rules(String text) {
    Set<Rule> rules = EnumSet.noneOf(Rule.class);
    for (String name : names(text)) {
      rules.add(rule(name));
    }
    return rules;
  }

  private static Rule rule(String name) {
    for (Rule rule : Rule.values()) {
      if (rule.text().equals(name.toLowerCase(Locale.ROOT).replace('_', '-'))) {
        return rule;
      }
    }
    throw new IllegalArgumentException(
        "setting 'ignore' of debug names '" + name + "'; it must be one of " + Arrays.stream(Rule.values()).map(Rule::text).toList());
  }

  /** Return a copy with another answer to reports. */
  public DebugConfig withOnError(OnError answer) {
    return new DebugConfig(
        checks, measure, answer, limit, devices, ignore, caller, traces, depth, contents, faults, entries, maxLive, sample);
  }

  /** Return a copy that reports, or ignores, refused accesses of devices. */
  public DebugConfig withFaults(boolean reported) {
    return new DebugConfig(
        checks, measure, onError, limit, devices, ignore, caller, traces, depth, contents, reported, entries, maxLive, sample);
  }

  /** Return a copy that checks, measures, or both. */
  public DebugConfig with(boolean checked, boolean measured) {
    return new DebugConfig(
        checked, measured, onError, limit, devices, ignore, caller, traces, depth, contents, faults, entries, maxLive, sample);
  }
}
