package io.twostep.device.nvme;

import java.util.EnumSet;
import java.util.Set;

/** Where a controller stands in its life; which state may follow which is a table. */
public enum NvmeState {
  /** Not brought up yet. */
  NEW,
  /** Being stopped in order to be started again. */
  RESETTING,
  /** Being started: admin commands only. */
  CONNECTING,
  /** Serving I/O. */
  LIVE,
  /** Being stopped for good. */
  DELETING,
  /** Stopped for good; memory is being given back. */
  DELETING_NO_IO,
  /** Beyond recovery, or pulled out: only close is left. */
  DEAD;

  private Set<NvmeState> before() {
    return switch (this) {
      case NEW -> EnumSet.noneOf(NvmeState.class);
      case LIVE -> EnumSet.of(CONNECTING);
      case RESETTING -> EnumSet.of(NEW, LIVE);
      case CONNECTING -> EnumSet.of(NEW, RESETTING);
      case DELETING -> EnumSet.of(LIVE, RESETTING, CONNECTING);
      case DELETING_NO_IO -> EnumSet.of(DELETING, DEAD);
      case DEAD -> EnumSet.of(DELETING);
    };
  }

  /** Tell whether a controller in this state may go on to {@code next}. */
  public boolean mayBecome(NvmeState next) {
    return next.before().contains(this);
  }

  /** Tell whether the state can never lead to {@link #LIVE} again. */
  public boolean isFinal() {
    return this == DELETING || this == DELETING_NO_IO || this == DEAD;
  }
}
