package io.twostep.dma.spi;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

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
  private volatile long pins;

  /** Create a region; {@code name} appears in messages. */
  public MemoryRegion(MemoryKind kind, String name) {
    this.kind = kind;
    this.name = name;
  }

  /** Return what the region is. */
  public MemoryKind kind() {
    return kind;
  }

  /** Return the region's name for messages. */
  public String name() {
    return name;
  }

  /** Return how many mappings hold the region. */
  public long pins() {
    return Math.max(0, pins);
  }

  /** Hold the region; returns false once it is retired. */
  public boolean tryPin() {
    return tryPin(1);
  }

  /** Hold the region {@code times} times at once, a positive number; returns false, and changes nothing, once it is retired. */
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
      if (now < times) {
        throw new IllegalStateException(name + ": unpinned more often than pinned");
      }
      if (PINS.compareAndSet(this, now, now - times)) {
        return;
      }
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
