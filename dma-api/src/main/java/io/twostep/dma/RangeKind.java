package io.twostep.dma;

/**
 * How a device reaches a range, as {@link DmaSink} and {@link TransferPlan} report it.
 *
 * <p>Plain {@code int} constants: they travel beside addresses on the hot path.
 */
public final class RangeKind {
  /** Host memory, translated or direct. */
  public static final int LOCAL = 0;

  /** Peer memory on the same fabric, reached by its bus address without translation. */
  public static final int BUS_PEER = 1;

  /** Peer memory reached through the host bridge, mapped like host memory but never cached or copied. */
  public static final int BRIDGE_PEER = 2;

  /** Peer memory this device cannot reach. Never handed to a sink. */
  public static final int UNREACHABLE = 3;

  private RangeKind() {}

  /** Name a kind for messages. */
  public static String name(int kind) {
    return switch (kind) {
      case LOCAL -> "local";
      case BUS_PEER -> "bus peer";
      case BRIDGE_PEER -> "bridge peer";
      case UNREACHABLE -> "unreachable";
      default -> "kind " + kind;
    };
  }
}
