package io.twostep.device.rdma;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;

/**
 * How an adapter is driven.
 *
 * @param eventEntries entries of the event queue, a power of two from 64 to 65536: the most page faults that wait to be served
 * @param commandTimeoutNanos how long a command may take before the adapter counts as hung
 */
public record HcaConfig(int eventEntries, long commandTimeoutNanos) {
  /** 4096 events, and a minute for a command. */
  public static final HcaConfig DEFAULT = new HcaConfig(4096, 60_000_000_000L);

  private static final long MILLISECOND = 1_000_000;

  public HcaConfig {
    if (eventEntries < 64 || eventEntries > 65536 || Integer.bitCount(eventEntries) != 1) {
      throw new IllegalArgumentException("event-entries is " + eventEntries + "; it must be a power of two from 64 to 65536");
    }
    if (commandTimeoutNanos <= 0) {
      throw new IllegalArgumentException("command-timeout of " + commandTimeoutNanos + " ns must be positive");
    }
  }

  /** Return every setting, with its default and meaning. */
  static List<Setting> settings() {
    return List.of(
        new Setting("event-entries", "4096", "entries of the event queue, a power of two from 64 to 65536: the most page faults that wait to be served"),
        new Setting("command-timeout", "60000", "milliseconds until a command counts as hung"));
  }

  static HcaConfig of(Settings settings) {
    return new HcaConfig(settings.number("event-entries", 0, Integer.MAX_VALUE), settings.number("command-timeout", 1, Integer.MAX_VALUE) * MILLISECOND);
  }
}
