package io.twostep.dma.spi;

/**
 * The bits that travel with a mapping through the stack: the caller's direction and attributes, what the mapper derived, and
 * what a layer found out.
 *
 * <p>Bits 0-1 are permissions, 8-11 are {@link io.twostep.dma.DmaAttributes}, 16-23 are set by the mapper or a layer for those below, 24-27 are
 * set in {@link MappingState#flags} by whoever did the work.
 */
public final class MapFlags {
  /** The device may read. */
  public static final int DEVICE_READS = 1;

  /** The device may write. */
  public static final int DEVICE_WRITES = 1 << 1;

  /** Both permissions. */
  public static final int ACCESS = DEVICE_READS | DEVICE_WRITES;

  /** The range is peer memory behind the host bridge: no cache work, no copy, device memory type. */
  public static final int PEER = 1 << 16;

  /** A layer owns every granule the range touches, so that rounding exposes no foreign byte. */
  public static final int OWNED = 1 << 17;

  /** Teardown of this mapping must be invalidated before it returns, whatever the flush policy. */
  public static final int STRICT = 1 << 18;

  /** Table memory is to be set aside at reserve, so that linking cannot fail for lack of it. */
  public static final int TABLES_AHEAD = 1 << 19;

  /**
   * The memory is never cached for devices that do not snoop: no maintenance is needed, and a copy would break it. A bounce layer passes it on, even when
   * it bounces everything else, and refuses it only when the device cannot reach it.
   */
  public static final int COHERENT_MEMORY = 1 << 20;

  /**
   * Several threads use the state for disjoint ranges: nothing may be written to it after reserve, which sets {@link #NEEDS_SYNC} if any link may need it. A
   * layer that would have to bounce refuses such a reserve with UNSUPPORTED.
   */
  public static final int WINDOW = 1 << 21;

  /** The range is peer memory that {@link DmaOps#classify} found to be reached by bus address: for the layer that knows the address, and never for a terminal. */
  public static final int BUS_PEER = 1 << 22;

  /** Some part needs sync when ownership moves. */
  public static final int NEEDS_SYNC = 1 << 24;

  /** Teardown has something to do below, if only to move ownership back to the CPU; without it the mapper does not call unmap. */
  public static final int NEEDS_UNMAP = 1 << 25;

  /** Some part lives in bounce slots. */
  public static final int BOUNCED = 1 << 26;

  /**
   * A layer wants to hear of every sync and every unmap, also where nothing needs them; it passes on those that {@link #NEEDS_SYNC} and {@link #NEEDS_UNMAP} ask
   * for. Changes nothing that drivers see.
   */
  public static final int WATCHED = 1 << 27;

  /** What makes a sync go down the stack. */
  public static final int HEARS_SYNC = NEEDS_SYNC | WATCHED;

  /** What makes an unmap go down the stack. */
  public static final int HEARS_UNMAP = NEEDS_UNMAP | WATCHED;

  private MapFlags() {}
}
