package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A device whose memory somebody would have to copy is refused on-demand memory at registration, with the reason, in every stack that would copy. */
class BouncedDeviceTest {
  private static final int PAGE = 4096;

  static Stream<Arguments> devices() {
    SlotOptions untranslated = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
    return Stream.of(
        Arguments.of("everything bounced, no translation", false, true, untranslated, 64, "bounced"),
        Arguments.of("narrow, no translation", false, false, untranslated, 32, "bounced"),
        Arguments.of("everything bounced behind an IOMMU", true, true, SlotOptions.DEFAULT, 48, "bounce"),
        Arguments.of("does not see caches, behind an IOMMU", true, false, SlotOptions.DEFAULT.withCoherent(false), 48, "caches"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("devices")
  void onDemandMemoryIsRefusedWithTheReasonAndNothingIsHeld(String name, boolean translated, boolean forced, SlotOptions options, int bits, String reason) {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "16G")));
        TerminalBackend terminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
        SwiotlbBackend swiotlb = new SwiotlbBackend(SwiotlbConfig.defaults().withSize(1 << 20, 4 << 20).withForce(forced));
        FramePool frames = new FramePool(machine.memory(), MemoryPlacement.SCATTERED, 32L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      ProbeDevice probe = new ProbeDevice();
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), probe, options);
      slot.busMaster(true);
      try (DmaMapper mapper = DmaStack.of(terminal, swiotlb).attach(machine, slot, DeviceLimits.ofBits(bits))) {
        long va = process.map(16 * PAGE, true);
        OnDemandSource source = new OnDemandSource(mapper, process, machine.timers());
        TestPageTable table = new TestPageTable(probe);
        int access = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE;
        DmaMappingException refused = catchThrowableOfType(DmaMappingException.class, () -> source.register(va, 16 * PAGE, access, table));
        assertThat(refused).isNotNull().hasMessageContaining("0000:01:00.0").hasMessageContaining(reason);
        assertThat(refused.reason()).isEqualTo(Reason.UNSUPPORTED);
        assertThat(table.calls).isEmpty();
        assertThat(process.statistics().subscriptions()).isZero();
        assertThat(mapper.liveMappings()).isZero();
      }
    }
  }
}
