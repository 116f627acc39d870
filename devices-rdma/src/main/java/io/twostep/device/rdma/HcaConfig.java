package io.twostep.device.rdma;

import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;

/**
 * How an adapter is driven.
 *
 * @param eventEntries entries of the event queue, a power of two from 64 to 65536: the most page faults that wait to be served
 * @param commandTimeoutNanos how long a command may take before the adapter counts as hung
 * @param updateBuffer bytes of the buffer that new translation entries go through, a power of two from 4096 to 524288; halved where there is no memory for it
 * @param pooledKeys the most memory keys that are kept for later use once they are given back
 * @param idleKeyNanos how long a key waits for later use, of the machine's time, until it is destroyed
 * @param faultBytes the most bytes that one page fault brings in of what its request still needs; 0 for only what the packet needs that met it
 */
public record HcaConfig(int eventEntries, long commandTimeoutNanos, long updateBuffer, int pooledKeys, long idleKeyNanos, long faultBytes) {
  /** 4096 events, a minute for a command, 64 KiB of entries, 64 keys for a minute, 4 MiB for a fault. */
  public static final HcaConfig DEFAULT = new HcaConfig(4096, 60_000_000_000L, 64 << 10, 64, 60_000_000_000L, 4 << 20);

  private static final long MILLISECOND = 1_000_000;

  public HcaConfig {
    if (eventEntries < 64 || eventEntries > 65536 || Integer.bitCount(eventEntries) != 1) {
      throw new IllegalArgumentException("event-entries is " + eventEntries + "; it must be a power of two from 64 to 65536");
    }
    if (commandTimeoutNanos <= 0) {
      throw new IllegalArgumentException("command-timeout of " + commandTimeoutNanos + " ns must be positive");
    }
    if (updateBuffer < 4096 || updateBuffer > 512 << 10 || Long.bitCount(updateBuffer) != 1) {
      throw new IllegalArgumentException("update-buffer is " + updateBuffer + "; it must be a power of two from 4096 to 524288 bytes");
    }
    if (pooledKeys < 0) {
      throw new IllegalArgumentException("pooled-keys is " + pooledKeys + "; it must not be negative");
    }
    if (idleKeyNanos <= 0) {
      throw new IllegalArgumentException("idle-keys of " + idleKeyNanos + " ns must be positive");
    }
    if (faultBytes < 0) {
      throw new IllegalArgumentException("fault-bytes is " + faultBytes + "; it must not be negative");
    }
  }

  /** Return every setting, with its default and meaning. */
  static List<Setting> settings() {
    return List.of(
        new Setting("event-entries", "4096", "entries of the event queue, a power of two from 64 to 65536: the most page faults that wait to be served"),
        new Setting("command-timeout", "60000", "milliseconds until a command counts as hung"),
        new Setting("update-buffer", "64K", "bytes of the buffer that new translation entries go through, a power of two from 4K to 512K"),
        new Setting("pooled-keys", "64", "most memory keys kept for later use once they are given back; 0 for none"),
        new Setting("idle-keys", "60000", "milliseconds that a key waits for later use until it is destroyed"),
        new Setting("fault-bytes", "4M", "most bytes that one page fault brings in of what its request still needs; 0 for only what the packet needs that met it"));
  }

  static HcaConfig of(Settings settings) {
    return new HcaConfig(
        settings.number("event-entries", 0, Integer.MAX_VALUE),
        settings.number("command-timeout", 1, Integer.MAX_VALUE) * MILLISECOND,
        settings.bytes("update-buffer"),
        settings.number("pooled-keys", 0, Integer.MAX_VALUE),
        settings.number("idle-keys", 1, Integer.MAX_VALUE) * MILLISECOND,
        settings.bytes("fault-bytes"));
  }
}
