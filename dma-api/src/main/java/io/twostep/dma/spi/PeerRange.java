package io.twostep.dma.spi;

import io.twostep.dma.PeerPieces;

/**
 * The published part of a device's BAR: where it lies, whose it is, and who imports it.
 *
 * <p>Made by a machine in {@link DeviceSlot#publish}, found through {@link MemoryRegion#peer}. Machines {@link #revoke} it when the provider is pulled out, without a lock of theirs.
 */
public final class PeerRange extends Revocable {
  private final DeviceSlot provider;
  private final int bar;
  private final long offset;
  private final long phys;
  private final long busAddress;
  private final long length;
  private final PeerPieces pieces;

  /**
   * Describe a published range.
   *
   * @param provider the device whose memory it is
   * @param bar index of the BAR
   * @param offset first byte within the BAR
   * @param phys physical address of the first byte
   * @param busAddress address of the first byte for its peers on the fabric
   * @param length bytes
   */
  public PeerRange(DeviceSlot provider, int bar, long offset, long phys, long busAddress, long length) {
    super(provider.address() + " BAR " + bar + " 0x" + Long.toHexString(offset) + "+0x" + Long.toHexString(length));
    this.provider = provider;
    this.bar = bar;
    this.offset = offset;
    this.phys = phys;
    this.busAddress = busAddress;
    this.length = length;
    this.pieces = new PeerPieces(toString(), phys, length);
  }

  /** Return the device whose memory it is. */
  public DeviceSlot provider() {
    return provider;
  }

  /** Return the index of the BAR. */
  public int bar() {
    return bar;
  }

  /** Return the first byte within the BAR. */
  public long offset() {
    return offset;
  }

  /** Return the physical address of the first byte. */
  public long phys() {
    return phys;
  }

  /** Return the address of the first byte for its peers on the fabric. */
  public long busAddress() {
    return busAddress;
  }

  /** Return the bytes. */
  public long length() {
    return length;
  }

  /** Return the pieces that are allocated and free, and what mappings hold of them: the mapper's account. */
  public PeerPieces pieces() {
    return pieces;
  }

  /** Return what turns a physical address of the range into a bus address when added, wrapping around. */
  public long busOffset() {
    return busAddress - phys;
  }
}
