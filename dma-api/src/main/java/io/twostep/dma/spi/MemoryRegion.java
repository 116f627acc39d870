package io.twostep.dma.spi;

import io.twostep.dma.count.HoldCount;
import org.jspecify.annotations.Nullable;

/**
 * A piece of a machine's memory with one kind and one lifetime, such as the frames of one block; counts the mappings that hold it.
 *
 * <p>Machines create one region per allocation or BAR. A mapping pins each region it touches once, however many ranges of it are
 * linked, so that its memory cannot be given away below a device. Thread-safe.
 */
public final class MemoryRegion {
  /** The answer for addresses that belong to nothing. */
  public static final MemoryRegion ABSENT = new MemoryRegion(MemoryKind.ABSENT, "no memory");

  private final MemoryKind kind;
  private final String name;
  private final @Nullable Revocable revocable;

  /** The one run of addresses that the region is, if it is one and that is known. */
  private final long first;

  private final long length;

  /** How many mappings hold the region; closed once no more may. */
  private final HoldCount pins = new HoldCount();

  /** Create a region; {@code name} appears in messages. */
  public MemoryRegion(MemoryKind kind, String name) {
    this(kind, name, 0, 0);
  }

  /**
   * Create the region of memory that is one run of addresses: whoever holds it knows its ranges without a search.
   *
   * @param first the run's first address
   * @param length bytes of the run, every range in which is this region's while it is open; 0 if the region is scattered
   */
  public MemoryRegion(MemoryKind kind, String name, long first, long length) {
    this(kind, name, null, first, length);
  }

  /** Create a region that its owner may take back; its ranges are looked up each time, since that may happen while it is held. */
  public MemoryRegion(MemoryKind kind, String name, Revocable revocable) {
    this(kind, name, revocable, 0, 0);
  }

  /** Create the region of published peer memory. */
  public MemoryRegion(PeerRange peer) {
    this(MemoryKind.PEER, peer.toString(), peer);
  }

  private MemoryRegion(MemoryKind kind, String name, @Nullable Revocable revocable, long first, long length) {
    this.kind = kind;
    this.name = name;
    this.revocable = revocable;
    this.first = first;
    this.length = length;
  }

  /** Return what the region is. */
  public MemoryKind kind() {
    return kind;
  }

  /** Return the region's name for messages. */
  public String name() {
    return name;
  }

  /** Return whose memory it is; null unless a machine made it of a {@link PeerRange}. */
  public @Nullable PeerRange peer() {
    return revocable instanceof PeerRange peer ? peer : null;
  }

  /** Return what tells importers that it is taken back; null if it never is. */
  public @Nullable Revocable revocable() {
    return revocable;
  }

  /** Return the first address of the run that the region is known to be. */
  public long first() {
    return first;
  }

  /** Return the bytes of the run that the region is known to be; 0 if it is scattered, or can be taken back. */
  public long length() {
    return length;
  }

  /** Tell whether the whole range is known to lie in the region; for who holds it, false only means to ask {@link PhysicalMemory#regionOf}. */
  public boolean spans(long phys, long length) {
    long offset = phys - first;
    return length > 0 && offset >= 0 && length <= this.length - offset;
  }

  /** Return how many mappings hold the region. */
  public long pins() {
    return pins.sum();
  }

  /** Hold the region; returns false once it is retired or revoked. */
  public boolean tryPin() {
    return pins.tryAdd(1);
  }

  /**
   * Hold the region {@code times} times at once; returns false, and changes nothing, once it is retired or revoked.
   *
   * @throws IllegalArgumentException unless the number is positive
   */
  public boolean tryPin(long times) {
    requirePositive(times);
    return pins.tryAdd(times);
  }

  /**
   * Hold the region once more on behalf of somebody who holds it, even if it is revoked.
   *
   * @throws IllegalStateException if nobody holds it
   */
  public void pinAgain() {
    if (!pins.tryAddToHeld()) {
      throw new IllegalStateException(name + ": nobody holds it");
    }
  }

  /**
   * Let go of the region once, on any thread.
   *
   * @throws IllegalStateException if nobody holds it
   */
  public void unpin() {
    unpin(1);
  }

  /**
   * Let go of the region {@code times} times at once.
   *
   * @throws IllegalArgumentException unless the number is positive
   * @throws IllegalStateException if it is held less often; nothing changes
   */
  public void unpin(long times) {
    requirePositive(times);
    if (!pins.tryRemove(times)) {
      throw new IllegalStateException(name + ": unpinned more often than pinned");
    }
  }

  private void requirePositive(long times) {
    if (times <= 0) {
      throw new IllegalArgumentException(name + ": cannot be pinned or unpinned " + times + " times; the number must be positive");
    }
  }

  /**
   * Let nobody hold the region any more, and run {@code whenFree} once, as soon as those who do have let go: now, which it also is if the region is retired, or on the thread that lets go last.
   *
   * @throws IllegalStateException if it is revoked already and still held; nothing changes
   */
  public void revoke(Runnable whenFree) {
    if (!pins.close(whenFree)) {
      throw new IllegalStateException(name + ": taken back already");
    }
  }

  /** End the region's life; returns false, and changes nothing, while a mapping holds it. May be repeated. */
  public boolean tryRetire() {
    return pins.tryClose();
  }

  @Override
  public String toString() {
    return name + " (" + kind + ")";
  }
}
