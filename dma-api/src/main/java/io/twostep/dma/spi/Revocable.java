package io.twostep.dma.spi;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Memory that its owner may take back from those who use it: who they are, and whether it was taken back.
 *
 * <p>Found through {@link MemoryRegion#revocable}. Thread-safe; one that is warm allocates nothing.
 */
public sealed class Revocable permits PeerRange {
  private final String name;

  private @Nullable Importer[] importers = new Importer[4];
  private int count;
  private volatile boolean revoked;

  /** Describe memory; {@code name} appears in messages. */
  public Revocable(String name) {
    this.name = name;
  }

  /** Tell whether the memory was taken back. */
  public final boolean isRevoked() {
    return revoked;
  }

  /** Note that somebody uses the memory; returns false, and notes nothing, once it is taken back. An importer may be added several times. */
  public final synchronized boolean add(Importer importer) {
    if (revoked) {
      return false;
    }
    addAnyway(importer);
    return true;
  }

  /** Note who answers, from now on, for a use that somebody else began, also when the memory was taken back since; nobody is told of that again. */
  public final synchronized void addAnyway(Importer importer) {
    if (count == importers.length) {
      importers = Arrays.copyOf(importers, count * 2);
    }
    importers[count++] = importer;
  }

  /** Forget one {@link #add} of an importer. */
  public final synchronized void remove(Importer importer) {
    for (int i = count - 1; i >= 0; i--) {
      if (importers[i] == importer) {
        importers[i] = importers[--count];
        importers[count] = null;
        return;
      }
    }
    throw new IllegalStateException(importer.device().address() + " does not import " + this);
  }

  /** Return who uses the memory now, each once. */
  public final synchronized List<Importer> importers() {
    List<Importer> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Importer importer = importers[i];
      if (importer != null && !all.contains(importer)) {
        all.add(importer);
      }
    }
    return all;
  }

  /**
   * Take the memory back: nobody can begin to use it from now on, and everybody who does is told. May be repeated, with no effect.
   *
   * <p>Whether the last device has let go is known by the pins of the {@link MemoryRegion}.
   *
   * @throws RuntimeException what an importer threw first; the others were told all the same
   */
  public final void revoke() {
    synchronized (this) {
      if (revoked) {
        return;
      }
      revoked = true;
    }
    new Closing().thenEach(importers(), importer -> importer.revoked(this)).end();
  }

  @Override
  public final String toString() {
    return name;
  }
}
