package io.twostep.device.rdma.transport;

/**
 * What both ends of a connection agree on, as one end sees it.
 *
 * @param destination number of the peer's queue pair
 * @param mtu most bytes of payload in a packet, a power of two from 256 to 4096
 * @param sendPsn first sequence number of the requests sent
 * @param receivePsn first sequence number of the requests received
 * @param timeoutNanos how long to wait for an acknowledgement; 0 for ever
 * @param retries how often to send again without progress, 0 to 7
 * @param rnrRetries how often to come back to a receiver that is not ready, 0 to 6; 7 for ever
 * @param rnrTimer how long a peer shall wait while this end is not ready: a code of {@link io.twostep.device.rdma.wire.RnrTimer}
 * @param readsOut most READs and atomics under way from here
 * @param readsIn most READs and atomics under way to here
 * @param window most packets sent and not acknowledged
 */
public record RcConfig(
    int destination,
    int mtu,
    int sendPsn,
    int receivePsn,
    long timeoutNanos,
    int retries,
    int rnrRetries,
    int rnrTimer,
    int readsOut,
    int readsIn,
    int window) {
  /** The number of retries that means for ever, for a receiver that is not ready. */
  public static final int FOR_EVER = 7;

  /** The most bytes of a message. */
  public static final long MAX_MESSAGE = 1L << 30;

  /** Check that all is within what the service allows. */
  public RcConfig {
    if (mtu < 256 || mtu > 4096 || Integer.bitCount(mtu) != 1) {
      throw new IllegalArgumentException("mtu " + mtu + " must be a power of two from 256 to 4096");
    }
    if (readsOut < 1 || readsIn < 1 || window < 1 || window > 1 << 20) {
      throw new IllegalArgumentException("limits " + readsOut + ", " + readsIn + ", " + window + " must be positive, the window at most 2^20");
    }
    if (retries < 0 || retries > 7 || rnrRetries < 0 || rnrRetries > FOR_EVER || rnrTimer < 0 || rnrTimer > 31) {
      throw new IllegalArgumentException("retries " + retries + ", " + rnrRetries + " must be 0 to 7, the RNR timer " + rnrTimer + " 0 to 31");
    }
  }

  /** Return how many packets carry {@code length} bytes: at least one. */
  int packets(long length) {
    return (int) Math.max(1, (length + mtu - 1) / mtu);
  }
}
