package io.twostep.dma.spi;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
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

  private static final VarHandle PINS;

  static {
    try {
      PINS = MethodHandles.lookup().findVarHandle(MemoryRegion.class, "pins", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static final long RETIRED = Long.MIN_VALUE;

  private final MemoryKind kind;
  private final String name;
  private final @Nullable Revocable revocable;

  /** The one run of addresses that the region is, if it is one and that is known. */
  private final long first;

  private final long length;

  /** How many mappings hold the region; with the sign bit once no more may. */
  private volatile long pins;

  private volatile @Nullable Runnable whenFree;

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
    return pins & Long.MAX_VALUE;
  }

  /** Hold the region; returns false once it is retired or revoked. */
  public boolean tryPin() {
    return tryPin(1);
  }

  /** Hold the region {@code times} times at once, a positive number; returns false, and changes nothing, once it is retired or revoked. */
  public boolean tryPin(long times) {
    while (true) {
      long now = pins;
      if (now < 0) {
        return false;
      }
      if (PINS.compareAndSet(this, now, now + times)) {
        return true;
      }
    }
  }

  /**
   * Hold the region once more on behalf of somebody who holds it, even if it is revoked.
   *
   * @throws IllegalStateException if nobody holds it
   */
  public void pinAgain() {
    while (true) {
      long now = pins;
      if ((now & Long.MAX_VALUE) == 0) {
        throw new IllegalStateException(name + ": nobody holds it");
      }
      if (PINS.compareAndSet(this, now, now + 1)) {
        return;
      }
    }
  }

  /**
   * Let go of the region once.
   *
   * @throws IllegalStateException if nobody holds it
   */
  public void unpin() {
    unpin(1);
  }

  /**
   * Let go of the region {@code times} times at once, a positive number.
   *
   * @throws IllegalStateException if it is held less often; nothing changes
   */
  public void unpin(long times) {
    while (true) {
      long now = pins;
      if ((now & Long.MAX_VALUE) < times) {
        throw new IllegalStateException(name + ": unpinned more often than pinned");
      }
      if (PINS.compareAndSet(this, now, now - times)) {
        if (now - times == RETIRED) {
          runWhenFree();
        }
        return;
      }
    }
  }

  /**
   * Let nobody hold the region any more, and run {@code whenFree} once, as soon as those who do have let go: now, which it also is if the region is retired, or on the thread that lets go last.
   *
   * @throws IllegalStateException if it is revoked already and still held; nothing changes
   */
  public void revoke(Runnable whenFree) {
    while (true) {
      long now = pins;
      if (now < 0 && now != RETIRED) {
        throw new IllegalStateException(name + ": taken back already");
      }
      this.whenFree = whenFree;
      if (now == RETIRED || PINS.compareAndSet(this, now, now | RETIRED)) {
        if ((now & Long.MAX_VALUE) == 0) {
          runWhenFree();
        }
        return;
      }
    }
  }

  private void runWhenFree() {
    Runnable task = whenFree;
    if (task != null) {
      whenFree = null;
      task.run();
    }
  }

  /** End the region's life; returns false, and changes nothing, while a mapping holds it. May be repeated. */
  public boolean tryRetire() {
    return PINS.compareAndSet(this, 0L, RETIRED) || pins == RETIRED;
  }

  @Override
  public String toString() {
    return name + " (" + kind + ")";
  }
}
