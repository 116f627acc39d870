package io.twostep.benchmarks.flow;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;

/** Map n bytes of real memory through a bounce slot of a 64 MiB pool in two areas, and unmap them. */
final class BounceFlow implements Flow {
  private static final long POOL = 64L << 20;
  private static final int AREAS = 2;

  private final ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
  private final TerminalBackend direct;
  private final SwiotlbBackend bounce;
  private final DmaMapper mapper;
  private final DmaDirection direction;
  private final int length;

  private BounceFlow(FlowCase of, DmaDirection direction) {
    this.direction = direction;
    length = of.n();
    DirectBackendPlugin plugin = new DirectBackendPlugin();
    direct = plugin.create(Settings.defaults(plugin));
    bounce = new SwiotlbBackend(SwiotlbConfig.defaults().withSize(POOL, POOL).withAreas(AREAS).withForce(true));
    DeviceSlot slot =
        machine.plug(new DeviceAddress("0000:01:00.0"), new ProbeDevice(), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
    mapper = DmaStack.of(direct, bounce).attach(machine, slot, DeviceLimits.UNLIMITED);
  }

  /** One copy: into the slot when mapped. */
  static BounceFlow toDevice(FlowCase of) {
    return new BounceFlow(of, DmaDirection.TO_DEVICE);
  }

  /** Two copies: into the slot when mapped, back when unmapped. */
  static BounceFlow bidirectional(FlowCase of) {
    return new BounceFlow(of, DmaDirection.BIDIRECTIONAL);
  }

  @Override
  public Worker worker(int index, int workers) {
    return new Bouncer(machine.memory().allocate(length, MemoryPlacement.CONTIGUOUS), mapper.newMapping(), direction, length);
  }

  @Override
  public void close() {
    mapper.close();
    bounce.close();
    direct.close();
    machine.close();
  }

  private record Bouncer(MemoryBlock memory, DmaMapping mapping, DmaDirection direction, int length) implements Worker {
    @Override
    public long run(int operations) {
      long sum = 0;
      long phys = memory.phys(0);
      for (int i = 0; i < operations; i++) {
        mapping.map(phys, length, direction, DmaAttributes.NONE);
        sum += mapping.dmaAddress();
        mapping.unmap();
      }
      return sum;
    }

    @Override
    public void close() {
      mapping.close();
      memory.close();
    }
  }
}
