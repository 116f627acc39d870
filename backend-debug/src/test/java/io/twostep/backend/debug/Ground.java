package io.twostep.backend.debug;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TerminalBackend;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/** The stacks below the checker on which histories run; each has ways of its own to go wrong. */
enum Ground {
  /** Behind an IOMMU, in place. */
  TRANSLATED(true, SlotOptions.DEFAULT),
  /** Behind an IOMMU and not trusted: edges are bounced. */
  UNTRUSTED(true, SlotOptions.DEFAULT.withTrusted(false)),
  /** Behind an IOMMU and blind to caches: shared cache lines are bounced. */
  NON_COHERENT(true, SlotOptions.DEFAULT.withCoherent(false)),
  /** Behind an IOMMU, with memory of two other devices: one beside it below a switch, one behind the host bridge. */
  PEERS(true, SlotOptions.DEFAULT),
  /** Where nothing translates, and everything is bounced. */
  BOUNCED(false, SlotOptions.DEFAULT),
  /** Behind an IOMMU, in place, with flushes left for later. */
  LAZY(true, SlotOptions.DEFAULT);

  /** Where the devices of a history are. */
  static final String FIRST = "0000:03:00.0";

  static final String SECOND = "0000:03:00.1";

  /** Where a crime may need one more. */
  static final String THIRD = "0000:03:00.2";

  /** The provider below the same switch as the devices, which they reach by bus address. */
  static final String NEAR = "0000:04:00.0";

  /** The provider that they reach through the host bridge. */
  static final String BEHIND = "0000:10:00.0";

  /** A switch with two devices below it, and a root port beside it. */
  static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      root-port 00:02.0 bus=10
      """;

  /** Where a device that uses what was taken down is refused at once, if at all. */
  static final Set<Ground> ALL = EnumSet.complementOf(EnumSet.of(LAZY));

  /** Where windows exist and the accesses of a device can be refused. */
  static final Set<Ground> TRANSLATING = EnumSet.complementOf(EnumSet.of(BOUNCED, LAZY));

  /** Where addresses may be another's before their teardown returns. */
  static final Set<Ground> DEFERRING = EnumSet.of(LAZY);

  /** Where a layer copies memory that is not the machine's. */
  static final Set<Ground> STAGING = EnumSet.of(UNTRUSTED, NON_COHERENT, BOUNCED);

  /** Where memory of other devices is. */
  static final Set<Ground> PEERING = EnumSet.of(PEERS);

  final boolean translates;
  private final SlotOptions options;

  Ground(boolean translates, SlotOptions options) {
    this.translates = translates;
    this.options = options;
  }

  /** Set up a machine with the first device; {@code broken} lies directly below the checker. */
  Rig rig(DebugConfig config, BrokenLayer broken) {
    return new Rig(Map.of("tree", TREE), FIRST, terminal(), config, options, DeviceLimits.ofBits(52), broken, layer());
  }

  private TerminalBackend terminal() {
    return translates ? new IommuBackend(IommuConfig.defaults().withFlush(this == LAZY ? FlushPolicy.LAZY : FlushPolicy.STRICT)) : new DirectBackend();
  }

  private LayerBackend layer() {
    return this == PEERS
        ? new P2pBackend(P2pConfig.defaults())
        : new SwiotlbBackend(SwiotlbConfig.defaults().withSize(1 << 20, 8 << 20).withAreas(1).withForce(this == BOUNCED));
  }
}
