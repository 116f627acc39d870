package io.twostep.machine.linux.vfiouser.protocol;

import java.math.BigInteger;
import java.util.Map;

/**
 * What one side of a connection takes; what it does not say has the protocol's default.
 *
 * @param descriptors descriptors in one message
 * @param transfer bytes of data in one message
 * @param maps live DMA maps
 * @param granule smallest page of DMA maps, bytes
 */
public record Capabilities(int descriptors, int transfer, int maps, long granule) {
  /** What a side takes that says nothing. */
  public static final Capabilities DEFAULT = new Capabilities(1, 1 << 20, 65535, 4096);

  private static final int MOST_DESCRIPTORS = 253;

  /**
   * Read the capabilities of a VERSION message's text; unknown ones are left alone.
   *
   * @throws ProtocolException if it is no JSON object, or a known capability is no number that makes sense
   */
  static Capabilities parse(String json) {
    if (!(JsonReader.parse(json) instanceof Map<?, ?> root)) {
      throw new ProtocolException("VERSION: the text is no JSON object");
    }
    Object inner = root.containsKey("capabilities") ? root.get("capabilities") : Map.of();
    if (!(inner instanceof Map<?, ?> given)) {
      throw new ProtocolException("VERSION: \"capabilities\" is no JSON object");
    }
    return new Capabilities(
        number(given, "max_msg_fds", DEFAULT.descriptors, 0, MOST_DESCRIPTORS),
        number(given, "max_data_xfer_size", DEFAULT.transfer, 1, Integer.MAX_VALUE),
        number(given, "max_dma_maps", DEFAULT.maps, 0, Integer.MAX_VALUE),
        granule(given));
  }

  /** Return the smallest of the page sizes, which come as 64 bits. */
  private static long granule(Map<?, ?> given) {
    BigInteger sizes = whole(given, "pgsizes", DEFAULT.granule, 1);
    if (sizes.bitLength() > Long.SIZE) {
      throw new ProtocolException("VERSION: capability \"pgsizes\" is %s; it has 64 bits".formatted(sizes));
    }
    return Long.lowestOneBit(sizes.longValue());
  }

  /** Return a number between {@code least} and {@code most}: what is above counts as {@code most}. */
  private static int number(Map<?, ?> given, String name, long absent, long least, int most) {
    return whole(given, name, absent, least).min(BigInteger.valueOf(most)).intValue();
  }

  private static BigInteger whole(Map<?, ?> given, String name, long absent, long least) {
    if (!given.containsKey(name)) {
      return BigInteger.valueOf(absent);
    }
    if (given.get(name) instanceof BigInteger value && value.compareTo(BigInteger.valueOf(least)) >= 0) {
      return value;
    }
    throw new ProtocolException("VERSION: capability \"%s\" is %s; it is a whole number from %d on".formatted(name, given.get(name), least));
  }

  /** Return the text of a VERSION message. */
  String json() {
    return "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%d,\"max_dma_maps\":%d,\"pgsizes\":%d}}"
        .formatted(descriptors, transfer, maps, granule);
  }
}
