package io.twostep.device.nvme.host;

/** Why a builder refused a request. */
public enum BuildFailure {
  /** Nothing was refused. */
  NONE("nothing was refused"),
  /** Ranges meet off the page, or begin or end where the format does not allow it: split the request or use an SGL. */
  MISALIGNED("a range begins or ends where the descriptor format does not allow it"),
  /** A range is empty, begins at bus address 0, which means "none", or runs past the end of the address space. */
  BAD_RANGE("a range is empty, begins at bus address 0 or wraps around"),
  /** The ranges are longer than the request. */
  TOO_LONG("the ranges are longer than the request"),
  /** The ranges are shorter than the request. */
  TOO_SHORT("the ranges are shorter than the request"),
  /** There are more ranges than the builder was made for. */
  TOO_MANY("there are more ranges than the builder was made for"),
  /** There is no list memory now: waiting can help. */
  NO_LIST_MEMORY("there is no list memory now");

  private final String text;

  BuildFailure(String text) {
    this.text = text;
  }

  /** Tell whether the same request may succeed later. */
  public boolean isRetryable() {
    return this == NO_LIST_MEMORY;
  }

  @Override
  public String toString() {
    return text;
  }
}
