package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A key over another device's memory, by bus address or through the host bridge, until its owner takes it back. */
class PeerMemoryKeyTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final long HOST = 0x4000_0000L;
  private static final long PEER = 0x8000_0000L;
  private static final int BYTES = 64 << 10;
  private static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      root-port 00:02.0 bus=10
      """;

  @ParameterizedTest
  @ValueSource(strings = {"0000:04:00.0", "0000:10:00.0"})
  void peerMemoryIsReachedUntilItsOwnerTakesItBack(String provider) {
    List<CompletionStatus> done = new ArrayList<>();
    ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M", "tree", TREE, "iotlb", "adversarial")));
    try (Arena arena = Arena.ofConfined();
        P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults())) {
      MemorySegment bar = arena.allocate(BYTES, 4096);
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:03:00.0"), new HcaModel(Wire.loopback(WireFaults.NONE, 1)), SlotOptions.DEFAULT);
      DeviceSlot peer = machine.plug(new DeviceAddress(provider), new BarDevice(bar), SlotOptions.DEFAULT);
      peer.busMaster(true);
      DriverContext context = DriverContext.of(machine, slot, DmaStack.of(iommu, p2p), Settings.defaults(new HcaDriverPlugin()));
      try (PeerMemory memory = PeerMemory.publish(machine, peer, BarDevice.BAR, 0, BYTES);
          Hca hca = Hca.open(context, HcaConfig.DEFAULT);
          ProtectionDomain domain = hca.newDomain();
          CompletionQueue queue = hca.newCompletionQueue(64);
          QueuePair near = hca.newQueuePair(domain, queue, queue, 16);
          QueuePair far = hca.newQueuePair(domain, queue, queue, 16);
          MemoryBlock block = machine.memory().allocate(BYTES, MemoryPlacement.SCATTERED);
          MemoryKey hostKey = hca.register(domain, HOST, block.ranges(), ALL);
          PinnedKey peerKey = hca.register(domain, PEER, PhysRanges.of(memory.phys(), BYTES), ALL)) {
        near.connect(far.number(), 1, 2, Connection.DEFAULT);
        far.connect(near.number(), 2, 1, Connection.DEFAULT);
        for (int i = 0; i < BYTES; i += 8) {
          block.segment().set(ValueLayout.JAVA_LONG, i, 0x0102030405060708L * (i + 1));
        }
        near.postWrite(1, hostKey, HOST, 50_000, peerKey.key(), PEER + 3);
        await(machine, queue, done, 1);
        assertThat(done).containsExactly(CompletionStatus.SUCCESS);
        assertThat(MemorySegment.mismatch(block.segment(), 0, 50_000, bar, 3, 50_003)).isEqualTo(-1);

        CompletableFuture<Void> revoked = memory.revoke().toCompletableFuture();
        assertThat(revoked).as("the adapter has let go when the call returns").isCompleted();
        assertThat(peerKey.isClosed()).isTrue();
        bar.fill((byte) 7);
        near.postWrite(2, hostKey, HOST, 100, peerKey.key(), PEER);
        await(machine, queue, done, 2);
        assertThat(done).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
        assertThat(bar.elements(ValueLayout.JAVA_BYTE).allMatch(each -> each.get(ValueLayout.JAVA_BYTE, 0) == 7)).isTrue();
        assertThat(memory.pins()).isZero();
      }
    } finally {
      machine.close();
    }
  }

  private static void await(ModelMachine machine, CompletionQueue queue, List<CompletionStatus> done, int count) {
    for (int round = 0; done.size() < count; round++) {
      assertThat(round).as("rounds").isLessThan(100_000);
      machine.timers().pause();
      queue.poll(8, (pair, id, receive, status, extra, length) -> done.add(status));
    }
  }
}
