package io.twostep.dma;

/**
 * The closed set of attribute bits a caller may add to a mapping.
 *
 * <p>There is no bit that claims what memory is or that skips a sync: both are for the mapping layer to know.
 */
public final class DmaAttributes {
  /** No attribute. */
  public static final int NONE = 0;

  /** Allow the device's accesses to be reordered; a hint. */
  public static final int WEAK_ORDERING = 1 << 8;

  /** Refuse the mapping rather than bounce it or maintain caches for it. */
  public static final int REQUIRE_COHERENT = 1 << 9;

  /**
   * Promise that the device writes every byte after each hand-over, so that no hand-over need copy anything in before it does. Bytes of a bounced mapping that it does not write are zeros after
   * the first hand-over, and never another mapping's.
   */
  public static final int OVERWRITE = 1 << 10;

  /** Ask for the privileged permission where the translation format has one. */
  public static final int PRIVILEGED = 1 << 11;

  /** All bits that exist. */
  public static final int ALL = WEAK_ORDERING | REQUIRE_COHERENT | OVERWRITE | PRIVILEGED;

  private DmaAttributes() {}

  /**
   * Return {@code attributes} unchanged.
   *
   * @throws IllegalArgumentException if a bit outside {@link #ALL} is set
   */
  public static int check(int attributes) {
    if ((attributes & ~ALL) != 0) {
      throw new IllegalArgumentException(
          "unknown attribute bits 0x" + Integer.toHexString(attributes & ~ALL) + "; see DmaAttributes");
    }
    return attributes;
  }
}
