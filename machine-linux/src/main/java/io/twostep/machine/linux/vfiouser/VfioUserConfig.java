package io.twostep.machine.linux.vfiouser;

import java.nio.file.Path;

/**
 * What a machine over a socket is made of.
 *
 * @param socket path of the server's socket
 * @param memory bytes of memory; only what is touched is taken
 * @param translated whether memory is mapped for the device on request, each block by itself; false maps all of it once
 * @param trusted whether the device is trusted to behave
 * @param descriptors whether the server is given memory by descriptor; false has it ask for every byte
 * @param maps mappings that may live at a time, if the server does not allow fewer
 * @param addressBits width of I/O addresses, 32 to 64
 * @param timeoutNanos how long the server may take to answer, nanoseconds
 */
public record VfioUserConfig(
    Path socket, long memory, boolean translated, boolean trusted, boolean descriptors, int maps, int addressBits, long timeoutNanos) {
  /** Where memory that is mapped once begins for the device. */
  static final long FIRST_IOVA = 1L << 30;

  private static final long FRAME = 4096;

  /** Check that the parts fit. */
  public VfioUserConfig {
    if (memory < FRAME || memory % FRAME != 0) {
      throw new IllegalArgumentException("'memory' of " + memory + " bytes: whole frames of 4 KiB, at least one");
    }
    if (maps < 1 || addressBits < 32 || addressBits > 64 || timeoutNanos <= 0) {
      throw new IllegalArgumentException(
          "'dma-maps' is from 1 on, 'address-bits' from 32 to 64, 'timeout' positive; given are " + maps + ", " + addressBits + " and " + timeoutNanos + " ns");
    }
    if (!translated && addressBits < 64 && memory > (1L << addressBits) - FIRST_IOVA) {
      throw new IllegalArgumentException(
          "'memory' of %d bytes is registered from I/O address 0x%x on, and does not fit into 'address-bits' of %d: set less of the one or more of the other"
              .formatted(memory, FIRST_IOVA, addressBits));
    }
  }

  /** Return the defaults, for a socket. */
  public static VfioUserConfig of(Path socket) {
    return new VfioUserConfig(socket, 1L << 30, true, true, true, 65535, 48, 5_000_000_000L);
  }

  /** Return a copy with another {@link #memory}. */
  public VfioUserConfig withMemory(long bytes) {
    return new VfioUserConfig(socket, bytes, translated, trusted, descriptors, maps, addressBits, timeoutNanos);
  }

  /** Return a copy with another {@link #translated}. */
  public VfioUserConfig withTranslated(boolean other) {
    return new VfioUserConfig(socket, memory, other, trusted, descriptors, maps, addressBits, timeoutNanos);
  }

  /** Return a copy with another {@link #trusted}. */
  public VfioUserConfig withTrusted(boolean other) {
    return new VfioUserConfig(socket, memory, translated, other, descriptors, maps, addressBits, timeoutNanos);
  }

  /** Return a copy with another {@link #descriptors}. */
  public VfioUserConfig withDescriptors(boolean other) {
    return new VfioUserConfig(socket, memory, translated, trusted, other, maps, addressBits, timeoutNanos);
  }

  /** Return a copy with another {@link #maps}. */
  public VfioUserConfig withMaps(int other) {
    return new VfioUserConfig(socket, memory, translated, trusted, descriptors, other, addressBits, timeoutNanos);
  }

  /** Return a copy with another {@link #timeoutNanos}. */
  public VfioUserConfig withTimeoutNanos(long other) {
    return new VfioUserConfig(socket, memory, translated, trusted, descriptors, maps, addressBits, other);
  }
}
