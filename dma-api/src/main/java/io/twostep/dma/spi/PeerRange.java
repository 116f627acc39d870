package io.twostep.dma.spi;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The published part of a device's BAR: where it lies, whose it is, and who imports it.
 *
 * <p>Made by a machine in {@link DeviceSlot#publish}, found through {@link MemoryRegion#peer}. Thread-safe; a warm range allocates nothing.
 */
public final class PeerRange {
  private final DeviceSlot provider;
  private final int bar;
  private final long offset;
  private final long phys;
  private final long busAddress;
  private final long length;

  private @Nullable PeerImporter[] importers = new PeerImporter[4];
  private int count;
  private volatile boolean revoked;

  /**
   * Describe a published range.
   *
   * @param provider the device whose memory it is
   * @param bar index of the BAR
   * @param offset first byte within the BAR
   * @param phys physical address of the first byte
   * @param busAddress address of the first byte for its peers on the fabric
   * @param length bytes
   */
  public PeerRange(DeviceSlot provider, int bar, long offset, long phys, long busAddress, long length) {
    this.provider = provider;
    this.bar = bar;
    this.offset = offset;
    this.phys = phys;
    this.busAddress = busAddress;
    this.length = length;
  }

  /** Return the device whose memory it is. */
  public DeviceSlot provider() {
    return provider;
  }

  /** Return the index of the BAR. */
  public int bar() {
    return bar;
  }

  /** Return the first byte within the BAR. */
  public long offset() {
    return offset;
  }

  /** Return the physical address of the first byte. */
  public long phys() {
    return phys;
  }

  /** Return the address of the first byte for its peers on the fabric. */
  public long busAddress() {
    return busAddress;
  }

  /** Return the bytes. */
  public long length() {
    return length;
  }

  /** Return what turns a physical address of the range into a bus address when added, wrapping around. */
  public long busOffset() {
    return busAddress - phys;
  }

  /** Tell whether the range was taken back. */
  public boolean isRevoked() {
    return revoked;
  }

  /** Note that somebody uses the range; returns false, and notes nothing, once it is taken back. An importer may be added several times. */
  public synchronized boolean add(PeerImporter importer) {
    if (revoked) {
      return false;
    }
    if (count == importers.length) {
      importers = Arrays.copyOf(importers, count * 2);
    }
    importers[count++] = importer;
    return true;
  }

  /** Forget one {@link #add} of an importer. */
  public synchronized void remove(PeerImporter importer) {
    for (int i = count - 1; i >= 0; i--) {
      if (importers[i] == importer) {
        importers[i] = importers[--count];
        importers[count] = null;
        return;
      }
    }
    throw new IllegalStateException(importer.device().address() + " does not import " + this);
  }

  /** Return who uses the range now, each once. */
  public synchronized List<PeerImporter> importers() {
    List<PeerImporter> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      PeerImporter importer = importers[i];
      if (importer != null && !all.contains(importer)) {
        all.add(importer);
      }
    }
    return all;
  }

  /**
   * Take the range back: nobody can begin to use it from now on, and everybody who does is told. May be repeated, with no effect.
   *
   * <p>Whether the last device has let go is known by the pins of the {@link MemoryRegion}. Machines call it when the provider is pulled out, without a lock of theirs.
   */
  public void revoke() {
    synchronized (this) {
      if (revoked) {
        return;
      }
      revoked = true;
    }
    for (PeerImporter importer : importers()) {
      importer.revoked(this);
    }
  }

  @Override
  public String toString() {
    return provider.address() + " BAR " + bar + " 0x" + Long.toHexString(offset) + "+0x" + Long.toHexString(length);
  }
}
