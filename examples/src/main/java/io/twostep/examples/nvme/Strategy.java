package io.twostep.examples.nvme;

import io.twostep.device.nvme.RequestMapper;
import java.util.Locale;

/** A way to map the memory of a request. */
public enum Strategy {
  /** One reservation per request; ranges are linked from the caller's own structure. */
  TWO_STEP,
  /** A list with an entry per range, mapped as a whole. */
  SCATTER_LIST,
  /** A mapping per page. */
  PER_PAGE;

  /** Return the name users write. */
  public String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Return the driver's seam filled with this strategy. */
  RequestMapper requestMapper() {
    return switch (this) {
      case TWO_STEP -> RequestMapper.twoStep();
      case SCATTER_LIST -> new ScatterListMapper();
      case PER_PAGE -> new PerPageMapper();
    };
  }
}
