package io.twostep.examples.compare;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.device.nvme.RequestMapper;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.examples.nvme.Meter;
import io.twostep.examples.nvme.ScatterListMapper;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A device of its own, attached through one stack, whose requests are mapped by one strategy. */
final class Contender implements AutoCloseable {
  static final DmaDirection DIRECTION = DmaDirection.TO_DEVICE;

  private static final long POOL = 16L << 20;
  private static final long MOST_POOL = 64L << 20;
  private static final AtomicInteger PLUGGED = new AtomicInteger();

  final StackKind.Case of;
  final Placement buffers;
  final ProbeDevice device = new ProbeDevice();
  final DmaMapper mapper;

  /** What there is to count, where the stack has it. */
  final @Nullable IommuBackend iommu;

  final @Nullable SwiotlbBackend bounce;
  final CountedCaches caches;
  final Meter meter = new Meter();
  final AddressSpace space;

  private final ModelMachine machine;
  private final DeviceAddress address;
  private final List<Backend> backends = new ArrayList<>();
  private @Nullable Registration registration;

  private Contender(ModelMachine machine, Placement buffers, StackKind.Case of, boolean counting) {
    this.machine = machine;
    this.buffers = buffers;
    this.of = of;
    int place = PLUGGED.incrementAndGet();
    address = new DeviceAddress("%04x:%02x:%02x.0".formatted(place >> 13 & 0xffff, place >> 5 & 0xff, place & 31));
    StackKind stack = of.stack();
    DeviceSlot slot =
        machine.plug(
            address,
            device,
            SlotOptions.DEFAULT
                .withTranslation(stack.translates() ? Translation.TRANSLATED : Translation.NONE)
                .withTrusted(stack.trusted())
                .withCoherent(stack.coherent()));
    slot.busMaster(true);
    space = machine.addressSpaceFor(slot);
    List<LayerBackend> layers = new ArrayList<>();
    if (counting) {
      layers.add(meter.layer());
    }
    bounce = stack.bounces() ? bounce(stack.bouncesEverything()) : null;
    if (bounce != null) {
      layers.add(bounce);
    }
    iommu = stack.translates() ? iommu(stack.tableFormat(), of.strategy(), counting) : null;
    TerminalBackend terminal = iommu == null ? direct() : iommu;
    backends.addAll(layers);
    backends.add(terminal);
    caches = new CountedCaches(machine.memory());
    Machine on = counting ? OneSlotMachine.counted(machine, slot, caches) : OneSlotMachine.instant(machine, slot);
    mapper = DmaStack.of(terminal, layers).attach(on, slot, DeviceLimits.UNLIMITED);
  }

  /** Attach to the modelled hardware, with everything counted. */
  static Contender counting(ModelMachine machine, Placement buffers, StackKind.Case of) {
    return new Contender(machine, buffers, of, true);
  }

  /** Attach to hardware that takes no time, with nothing counted. */
  static Contender timing(ModelMachine machine, Placement buffers, StackKind.Case of) {
    return new Contender(machine, buffers, of, false);
  }

  private static SwiotlbBackend bounce(boolean force) {
    return new SwiotlbBackend(SwiotlbConfig.defaults().withSize(POOL, MOST_POOL).withForce(force));
  }

  private static IommuBackend iommu(String format, MapStrategy strategy, boolean counting) {
    FlushPolicy flush = strategy == MapStrategy.LAZY ? FlushPolicy.LAZY : FlushPolicy.STRICT;
    IommuConfig plain = IommuConfig.defaults().withFormat(format).withFlush(flush);
    return new IommuBackend(counting ? plain.withCountTableWrites(true) : plain);
  }

  private static TerminalBackend direct() {
    DirectBackendPlugin plugin = new DirectBackendPlugin();
    return plugin.create(Settings.defaults(plugin));
  }

  /** Do what comes before the first request. */
  void begin() {
    if (of.strategy() == MapStrategy.REGISTERED) {
      registration = register(new Request(buffers, 0, buffers.layout.bytes()));
    }
  }

  /** Do what comes after the last request. */
  void end() {
    Registration held = registration;
    if (held != null) {
      registration = null;
      held.close();
    }
  }

  Registration register(Request all) {
    return new Registration(mapper, all, DIRECTION);
  }

  /** Make a slot for requests of at most {@code maxBytes}. */
  RequestSlot newSlot(long maxBytes) {
    return switch (of.strategy()) {
      case PER_PAGE -> new PerPageSlot(mapper, DIRECTION, maxBytes);
      case SCATTER_LIST -> new BatchedSlot(new ScatterListMapper(), mapper, DIRECTION, maxBytes);
      case TWO_STEP, LAZY, BOUNCE -> new BatchedSlot(RequestMapper.twoStep(), mapper, DIRECTION, maxBytes);
      case REGISTERED -> {
        Registration held = registration;
        if (held == null) {
          throw new IllegalStateException("nothing is registered yet");
        }
        yield new Registration.Slot(held);
      }
    };
  }

  @Override
  public void close() {
    end();
    mapper.close();
    backends.forEach(Backend::close);
    machine.unplug(address);
  }
}
