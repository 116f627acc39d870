package io.twostep.device.rdma;

/**
 * What two queue pairs agree on before they are connected.
 *
 * @param mtu bytes of payload in a packet: 256, 512, 1024, 2048 or 4096
 * @param timeout the acknowledgement timeout is 4.096 us times 2 to this, 1 to 31; 0 for ever
 * @param retries how often to send again without progress, 0 to 7
 * @param rnrRetries how often to come back to a receiver that is not ready, 0 to 6; 7 for ever
 * @param rnrTimer code of the time a peer waits while this end is not ready, 0 to 31
 * @param reads most READs and atomics under way in each direction, 1 to 255
 */
public record Connection(int mtu, int timeout, int retries, int rnrRetries, int rnrTimer, int reads) {
  /** Packets of 4096 bytes, 67 ms, 7 retries, receivers waited for as long as it takes, 16 READs. */
  public static final Connection DEFAULT = new Connection(4096, 14, 7, 7, 12, 16);

  private static final int SMALLEST_MTU = 256;
  private static final int LARGEST_MTU = 4096;
  private static final int LONGEST = 31;
  private static final int MOST_RETRIES = 7;
  private static final int MOST_READS = 255;

  /**
   * Check that all of it can be said to an adapter.
   *
   * @throws IllegalArgumentException naming what is out of its range
   */
  public Connection {
    if (Integer.bitCount(mtu) != 1) {
      throw new IllegalArgumentException("mtu " + mtu + " of a connection is no power of two");
    }
    require("mtu", mtu, SMALLEST_MTU, LARGEST_MTU);
    require("timeout", timeout, 0, LONGEST);
    require("retries", retries, 0, MOST_RETRIES);
    require("RNR retries", rnrRetries, 0, MOST_RETRIES);
    require("RNR timer", rnrTimer, 0, LONGEST);
    require("reads", reads, 1, MOST_READS);
  }

  private static void require(String what, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(what + " " + value + " of a connection is not from " + least + " to " + most);
    }
  }
}
