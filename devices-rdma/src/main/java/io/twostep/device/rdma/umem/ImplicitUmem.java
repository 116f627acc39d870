package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The whole address space of a process as one on-demand region. Pieces of 1 GiB are registered when the device first asks for something in them, and given up when a change of the process
 * has taken their last page.
 *
 * <p>What the root names follows the map of pieces: whoever changes the map then writes the root's slot from what the map says at that moment, under one lock, and only then destroys what is
 * out of the map. Thread-safe.
 */
public final class ImplicitUmem implements AutoCloseable {
  /** Bytes of a piece. */
  public static final long PIECE = 1L << 30;

  private final OnDemandSource source;
  private final int access;
  private final ImplicitPageTables tables;
  private final ConcurrentHashMap<Long, Piece> pieces = new ConcurrentHashMap<>();

  /** Pieces that are given up: each is in here before it leaves the map, so that close finds it, and until the device has let go of it. */
  private final Set<Piece> leaving = ConcurrentHashMap.newKeySet();

  private final ReentrantLock rootLock = new ReentrantLock();
  private final AtomicLong created = new AtomicLong();
  private volatile boolean closed;

  ImplicitUmem(OnDemandSource source, int access, ImplicitPageTables tables) {
    this.source = source;
    this.access = access;
    this.tables = tables;
  }

  /** Return how many pieces are registered now. */
  public int pieces() {
    return pieces.size();
  }

  /** Return how many pieces have been registered so far. */
  public long piecesCreated() {
    return created.get();
  }

  /** Return how many pages are linked in all pieces. */
  public long linkedPages() {
    return pieces.values().stream().mapToLong(piece -> piece.umem.linkedPages()).sum();
  }

  /** Return the bytes kept beside the I/O page tables for knowing what is linked. */
  public long metadataLength() {
    return pieces.values().stream().mapToLong(piece -> piece.umem.metadataLength()).sum();
  }

  /**
   * Bring pages in and let the device have them; as {@link OnDemandUmem#fault}.
   *
   * @throws IllegalStateException if the region is closed
   */
  public void fault(long va, long bytes, FaultMode mode) {
    long limit = ProcessMemory.addressLimit();
    if (va < 0 || bytes <= 0 || va >= limit || bytes > limit - va) {
      throw new IllegalArgumentException("%s: %#x+%#x leaves the address space".formatted(source.process().name(), va, bytes));
    }
    List<Piece> used = new ArrayList<>();
    try {
      for (long at = va; at < va + bytes; ) {
        Piece piece = acquire(at / PIECE);
        used.add(piece);
        long end = Math.min(va + bytes, piece.umem.start() + PIECE);
        piece.umem.fault(at, end - at, mode);
        at = end;
      }
      connect(used);
    } finally {
      new Closing().thenEach(used, this::release).end();
    }
  }

  private Piece acquire(long index) {
    while (true) {
      if (closed) {
        throw new IllegalStateException(source.process().name() + ": the on-demand address space is closed");
      }
      Piece piece = pieces.get(index);
      if (piece == null) {
        piece = create(index);
      }
      if (piece.tryUse()) {
        return piece;
      }
      Thread.onSpinWait();
    }
  }

  /** Make a piece complete, then put it into the map; whoever comes second takes the other's. */
  private Piece create(long index) {
    Piece made = new Piece(index);
    Piece winner = pieces.putIfAbsent(index, made);
    if (winner != null) {
      giveUp(made);
      return winner;
    }
    created.incrementAndGet();
    // Who closes meanwhile either finds the piece in the map, or was first, and then the next look at it is in vain.
    if (closed) {
      giveUp(made);
    }
    return made;
  }

  /** Write the root's slots of pieces that are new to it. */
  private void connect(List<Piece> used) {
    rootLock.lock();
    try {
      boolean any = false;
      for (Piece piece : used) {
        if (!piece.connected && pieces.get(piece.index) == piece) {
          piece.named = true;
          tables.connect(piece.umem.start(), piece.table);
          any = true;
        }
      }
      if (any) {
        tables.commit();
        used.forEach(piece -> piece.connected = true);
      }
    } finally {
      rootLock.unlock();
    }
  }

  private void release(Piece piece) {
    piece.stopUsing();
    reapIfEmpty(piece);
  }

  private void reapIfEmpty(Piece piece) {
    if (piece.tryRetire()) {
      giveUp(piece);
    }
  }

  /** Take a piece from the device and give it back; one that the device does not let go of is left for {@link #close}. */
  private void giveUp(Piece piece) {
    piece.retire();
    leaving.add(piece);
    pieces.remove(piece.index, piece);
    piece.destroy();
    leaving.remove(piece);
  }

  /**
   * Take everything from the device; faults under way fail. May be repeated.
   *
   * @throws RuntimeException if the device could not be proved away from some of it, which stays held; the rest is released, and closing may be tried again
   */
  @Override
  public void close() {
    closed = true;
    Set<Piece> all = new LinkedHashSet<>(pieces.values());
    all.addAll(leaving);
    new Closing().thenEach(all, this::giveUp).end();
  }

  /** Write the root's slot of a piece that is out of the map. */
  private void disconnect(Piece piece) {
    rootLock.lock();
    try {
      if (piece.named) {
        Piece now = pieces.get(piece.index);
        if (now != null) {
          now.named = true;
        }
        tables.connect(piece.umem.start(), now == null ? null : now.table);
        tables.commit();
        piece.named = false;
      }
    } finally {
      rootLock.unlock();
    }
  }

  /** A registered piece; used by faults until it is retired, which happens once. */
  private final class Piece {
    final long index;
    final DevicePageTable table;
    final OnDemandUmem umem;

    /** Whether the root names it for sure; guarded by the root's lock. */
    boolean connected;

    /** Whether the root may name it, because the device was told to, whatever became of that; guarded by the root's lock. */
    boolean named;

    private int users;
    private boolean retired;
    private boolean destroyed;

    Piece(long index) {
      this.index = index;
      table = tables.open(index * PIECE, PIECE);
      try {
        umem = source.open(index * PIECE, PIECE, access, table, this::changed);
      } catch (DmaMappingException | IllegalStateException e) {
        tables.close(table);
        throw e;
      }
    }

    private void changed() {
      // A change may come before the constructor has ended; whoever made the piece looks again then.
      if (pieces.get(index) == this) {
        reapIfEmpty(this);
      }
    }

    synchronized boolean tryUse() {
      if (!retired) {
        users++;
      }
      return !retired;
    }

    synchronized void stopUsing() {
      users--;
    }

    /** Let no fault use it any more if none does and nothing is linked; true for the one who has to destroy it. */
    synchronized boolean tryRetire() {
      boolean idle = !retired && users == 0 && umem.linkedPages() == 0;
      retired |= idle;
      return idle;
    }

    synchronized void retire() {
      retired = true;
    }

    /** Have the device let go of it, then give it back; whoever comes second waits, and goes on where a failure ended. */
    synchronized void destroy() {
      if (!destroyed) {
        disconnect(this);
        umem.close();
        tables.close(table);
        destroyed = true;
      }
    }
  }
}
