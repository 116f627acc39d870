package io.twostep.backend.debug;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.SparseWindow;
import java.util.BitSet;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** A reservation or a sparse window: which of its pages are linked, and which of those the device was given. A page is linked to the page of the area with its number. */
final class LiveWindow extends Live {
  static final int PAGES = 8;
  private static final long PAGE = Rig.PAGE;

  final @Nullable IovaReservation reservation;
  final @Nullable SparseWindow sparse;
  final BitSet linked = new BitSet(PAGES);
  final BitSet published = new BitSet(PAGES);
  private final BitSet everLinked = new BitSet(PAGES);

  LiveWindow(Driver driver, DmaDirection direction, Memory memory, IovaReservation window) {
    super(
        Kind.RESERVATION,
        driver,
        direction,
        memory,
        window.address(),
        window.length(),
        new Calls(
            window::syncForCpu, window::syncForDevice, window::destroy, window::destroy, () -> window.tryAlloc(0, PAGE, direction, 0), window::close));
    reservation = window;
    sparse = null;
  }

  LiveWindow(Driver driver, DmaDirection direction, Memory memory, SparseWindow window) {
    super(
        Kind.SPARSE,
        driver,
        direction,
        memory,
        window.address(),
        window.length(),
        Calls.onlyClose(window::syncForCpu, window::syncForDevice, window::close));
    reservation = null;
    sparse = window;
  }

  IovaReservation reservation() {
    return Objects.requireNonNull(reservation);
  }

  SparseWindow sparse() {
    return Objects.requireNonNull(sparse);
  }

  /** Return the pages that never were linked. */
  BitSet untouched() {
    BitSet pages = (BitSet) everLinked.clone();
    pages.flip(0, PAGES);
    return pages;
  }

  /** Tell whether there are pages that are linked and published as asked. */
  boolean has(boolean isLinked, boolean isPublished) {
    return IntStream.range(0, PAGES).anyMatch(page -> isRun(page, isLinked, isPublished));
  }

  /** Draw consecutive pages that are linked and published as asked, of which there must be some: the number of the first, and how many. */
  int[] run(Random random, boolean isLinked, boolean isPublished) {
    int first = random.nextInt(PAGES);
    while (!isRun(first, isLinked, isPublished)) {
      first = (first + 1) % PAGES;
    }
    int last = first;
    while (last + 1 < PAGES && isRun(last + 1, isLinked, isPublished) && random.nextInt(3) != 0) {
      last++;
    }
    return new int[] {first, last - first + 1};
  }

  private boolean isRun(int page, boolean isLinked, boolean isPublished) {
    return linked.get(page) == isLinked && published.get(page) == isPublished;
  }

  /** Link a run of holes. */
  void link(int[] run) {
    long offset = run[0] * PAGE;
    if (reservation != null) {
      reservation.link(offset, memory.phys() + offset, run[1] * PAGE);
    } else if (sparse != null) {
      sparse.link(offset, memory.phys() + offset, run[1] * PAGE, direction);
      published.set(run[0], run[0] + run[1]);
    }
    linked.set(run[0], run[0] + run[1]);
    everLinked.set(run[0], run[0] + run[1]);
    remap();
  }

  /** Give a run to the device. */
  void publish(int[] run) {
    if (reservation != null) {
      reservation.sync(run[0] * PAGE, run[1] * PAGE);
    }
    for (int page = run[0]; page < run[0] + run[1]; page++) {
      published.set(page, linked.get(page));
    }
    remap();
  }

  /** Unlink a run; where the CPU has bytes of it, the device gets them back first. */
  void unlink(int[] run, @Nullable InvalidationBatch batch) {
    giveBack();
    long offset = run[0] * PAGE;
    long bytes = run[1] * PAGE;
    if (reservation != null && batch != null) {
      reservation.unlink(offset, bytes, batch);
    } else if (reservation != null) {
      reservation.unlink(offset, bytes);
    } else if (sparse != null && batch != null) {
      sparse.unlink(offset, bytes, batch);
    } else if (sparse != null) {
      sparse.unlink(offset, bytes);
    }
    linked.clear(run[0], run[0] + run[1]);
    published.clear(run[0], run[0] + run[1]);
    remap();
  }

  private void giveBack() {
    if (cpuLength != 0) {
      calls.toDevice().on(cpuFrom, cpuLength);
      cpuLength = 0;
    }
  }

  /** The device may use every page that is linked and published. */
  private void remap() {
    pieces.clear();
    for (int page = published.nextSetBit(0); page >= 0; page = published.nextSetBit(page + 1)) {
      pieces.add(new Piece(page * PAGE, dmaAddress + page * PAGE, page * PAGE, PAGE));
    }
  }
}
