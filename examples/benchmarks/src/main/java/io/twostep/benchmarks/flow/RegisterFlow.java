package io.twostep.benchmarks.flow;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.umem.PinnedUmem;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.util.Map;
import java.util.stream.LongStream;

/** Register and unregister 8 GiB in extents of 2 MiB in no order, alone or with one page of a peer behind another host bridge's port in the place of one of theirs. */
final class RegisterFlow implements Flow {
  private static final long BYTES = 8L << 30;
  private static final long EXTENT = 2L << 20;
  private static final long PAGE = 4096;
  private static final int CMB = 2;
  private static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01
      root-port 00:02.0 bus=02
      """;

  private final ModelMachine machine;
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
  private final MemoryBlock block;
  private final PeerMemory peer;
  private final DmaMapper mapper;
  private final long[] extents;

  private RegisterFlow(boolean withPeer) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "32G", "tree", TREE)));
    DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new ProbeDevice(), SlotOptions.DEFAULT);
    slot.busMaster(true);
    NvmeControllerModel other = new NvmeControllerModel(NvmeModelConfig.DEFAULT.with(c -> c.cmbSize(1 << 20)));
    DeviceSlot provider = machine.plug(new DeviceAddress("0000:02:00.0"), other, SlotOptions.DEFAULT);
    peer = PeerMemory.publish(machine, provider, CMB, 0, 1 << 20);
    mapper = DmaStack.of(iommu, p2p).attach(machine, slot, DeviceLimits.UNLIMITED);
    block = machine.memory().allocate(BYTES, MemoryPlacement.CONTIGUOUS);
    extents = extents(block, withPeer ? peer.phys() : 0);
  }

  /** Return addresses and lengths of all extents, with a peer's page, if there is one, in the place of the first page of the middle one. */
  private static long[] extents(MemoryBlock block, long peerPhys) {
    int count = (int) (BYTES / EXTENT);
    LongStream.Builder ranges = LongStream.builder();
    for (int i = 0; i < count; i++) {
      // An odd multiplier visits every extent once.
      long phys = block.phys((i * 1237L & count - 1) * EXTENT);
      boolean split = peerPhys != 0 && i == count / 2;
      if (split) {
        ranges.add(peerPhys).add(PAGE).add(phys + PAGE).add(EXTENT - PAGE);
      } else {
        ranges.add(phys).add(EXTENT);
      }
    }
    return ranges.build().toArray();
  }

  static RegisterFlow ofMemory(FlowCase of) {
    return new RegisterFlow(false);
  }

  static RegisterFlow withPeerPage(FlowCase of) {
    return new RegisterFlow(true);
  }

  /** Return how many ranges of I/O addresses a registration takes. */
  static long addressRanges(boolean withPeer) {
    try (RegisterFlow flow = new RegisterFlow(withPeer)) {
      long before = flow.iommu.statistics().liveRanges();
      try (PinnedUmem umem = flow.register()) {
        return umem.length() == BYTES ? flow.iommu.statistics().liveRanges() - before : -1;
      }
    }
  }

  private PinnedUmem register() {
    return PinnedUmem.of(mapper, PhysRanges.of(extents), AccessFlags.LOCAL_WRITE);
  }

  @Override
  public Worker worker(int index, int workers) {
    return operations -> {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        try (PinnedUmem umem = register()) {
          sum += umem.extents().count();
        }
      }
      return sum;
    };
  }

  @Override
  public void close() {
    mapper.close();
    block.close();
    peer.close();
    p2p.close();
    iommu.close();
    machine.close();
  }
}
