package io.twostep.backend.debug;

import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** A teardown that waits for its batch, on whose thread it changes. */
final class Debt {
  /** The phases that the teardown of a part of a window waits for. */
  static final int PART = 1 << Retirement.COPY_OUT | 1 << Retirement.TABLES;

  /** The phases that a whole mapping or window waits for, its addresses among them. */
  static final int WHOLE = PART | 1 << Retirement.IOVA;

  final long id;
  final Tracked tracked;
  final CheckingOps owner;
  final Retirement batch;
  final int awaited;
  final @Nullable Origin at;

  /** The phases that have come. */
  int phases;

  /** Set when the layers below refused: what was registered before is void. */
  volatile boolean failed;

  Debt(long id, Tracked tracked, CheckingOps owner, Retirement batch, int awaited, @Nullable Origin at) {
    this.id = id;
    this.tracked = tracked;
    this.owner = owner;
    this.batch = batch;
    this.awaited = awaited;
    this.at = at;
  }

  /** Tell whether a phase is awaited, and the next one to come. */
  boolean isDue(int phase) {
    return (awaited >>> phase & 1) != 0 && phases == (awaited & (1 << phase) - 1);
  }
}
