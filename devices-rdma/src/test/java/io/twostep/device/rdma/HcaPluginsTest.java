package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.model.HcaModelPlugin;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** Adapters made by name: plugged into named wires or into themselves. */
class HcaPluginsTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final long START = 0x4000_0000L;

  @Test
  void bothPluginsAreFoundAndEverySettingSaysWhatItMeans() {
    List<DmaPlugin> found =
        ServiceLoader.load(DmaPlugin.class).stream().map(ServiceLoader.Provider::get).filter(plugin -> plugin.name().equals("hca")).toList();
    assertThat(found).extracting(Object::getClass).containsExactlyInAnyOrder(HcaDriverPlugin.class, HcaModelPlugin.class);
    assertThat(found).allSatisfy(plugin -> assertThat(plugin.settings()).isNotEmpty().extracting(Setting::meaning).noneMatch(String::isBlank));
  }

  @Test
  void adapterPluggedIntoItselfMovesBytesBetweenItsOwnQueuePairs() {
    try (Side side = new Side(Map.of("loss", "0.05", "duplication", "0.05", "seed", "7"))) {
      side.connect(side);
      side.near.postWrite(1, side.key, START, 5000, side.key.key(), START + 8192);
      side.await(side);
      assertThat(side.memory.segment().get(ValueLayout.JAVA_LONG, 8192)).isEqualTo(0x1122334455667788L);
    }
  }

  @Test
  void adaptersOnMachinesOfTheirOwnThatNameOneWireAreConnectedByPollingIt() {
    Map<String, String> settings = Map.of("wire", "between", "loss", "0.05");
    try (Side one = new Side(settings);
        Side other = new Side(settings)) {
      one.connect(other);
      assertThatIllegalArgumentException().isThrownBy(() -> model(settings)).withMessageContaining("'between'").withMessageContaining("two adapters");
      one.near.postWrite(1, one.key, START, 5000, other.key.key(), START + 8192);
      one.await(other);
      assertThat(other.memory.segment().get(ValueLayout.JAVA_LONG, 8192)).isEqualTo(0x1122334455667788L);
    }
    try (DeviceModel first = model(settings);
        DeviceModel second = model(settings)) {
      assertThat(first).as("a wire that was pulled out can be used again").isNotSameAs(second);
    }
  }

  @Test
  void settingsThatMakeNoSenseAreRefusedByName() {
    assertThatIllegalArgumentException().isThrownBy(() -> model(Map.of("loss", "1.5"))).withMessageContaining("'loss'").withMessageContaining("0 to 1");
    assertThatIllegalArgumentException().isThrownBy(() -> model(Map.of("corruption", "often"))).withMessageContaining("'corruption'");
    assertThatIllegalArgumentException().isThrownBy(() -> new HcaConfig(100, 1, 4096, 0, 1, 0)).withMessageContaining("event-entries").withMessageContaining("power of two");
  }

  private static DeviceModel model(Map<String, String> settings) {
    HcaModelPlugin plugin = new HcaModelPlugin();
    return plugin.create(Settings.of(plugin, settings));
  }

  /** A machine with one adapter made and driven by name. */
  private static final class Side implements AutoCloseable {
    final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M")));
    final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    final Hca hca;
    final ProtectionDomain domain;
    final CompletionQueue queue;
    final QueuePair near;
    final QueuePair far;
    final MemoryBlock memory;
    final MemoryKey key;
    final List<CompletionStatus> done = new ArrayList<>();

    Side(Map<String, String> settings) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), model(settings), SlotOptions.DEFAULT);
      HcaDriverPlugin driver = new HcaDriverPlugin();
      assertThat(driver.matches(slot)).isTrue();
      hca = driver.bind(DriverContext.of(machine, slot, DmaStack.of(backend), Settings.of(driver, Map.of("event-entries", "64"))));
      domain = hca.newDomain();
      queue = hca.newCompletionQueue(64);
      near = hca.newQueuePair(domain, queue, queue, 16);
      far = hca.newQueuePair(domain, queue, queue, 16);
      memory = machine.memory().allocate(16384, MemoryPlacement.SCATTERED);
      memory.segment().set(ValueLayout.JAVA_LONG, 0, 0x1122334455667788L);
      key = hca.register(domain, START, memory.ranges(), ALL);
    }

    void connect(Side peer) {
      near.connect(peer.far.number(), 1, 2, Connection.DEFAULT);
      peer.far.connect(near.number(), 2, 1, Connection.DEFAULT);
    }

    void await(Side peer) {
      for (int round = 0; done.isEmpty(); round++) {
        assertThat(round).as("rounds").isLessThan(100_000);
        machine.timers().pause();
        peer.machine.timers().pause();
        queue.poll(8, (pair, id, receive, status, extra, length) -> done.add(status));
      }
      assertThat(done).containsExactly(CompletionStatus.SUCCESS);
    }

    @Override
    public void close() {
      key.close();
      near.close();
      far.close();
      queue.close();
      domain.close();
      hca.close();
      memory.close();
      backend.close();
      machine.close();
    }
  }
}
