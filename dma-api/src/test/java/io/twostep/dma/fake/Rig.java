package io.twostep.dma.fake;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryKind;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A machine, a device on one of the fixture stacks, and the device's side of it. */
public final class Rig {
  /** The stacks every rule is tried on. */
  public enum Kind {
    DIRECT(false, false, 'd'),
    TRANSLATING(false, false, 't'),
    HOST(false, false, 'h'),
    BOUNCE_DIRECT(true, false, 'd'),
    BOUNCE_TRANSLATING(true, false, 't'),
    BOUNCE_HOST(true, false, 'h'),
    PEER_DIRECT(false, true, 'd'),
    PEER_TRANSLATING(false, true, 't'),
    PEER_HOST(false, true, 'h'),
    PEER_BOUNCE_DIRECT(true, true, 'd'),
    PEER_BOUNCE_TRANSLATING(true, true, 't');

    public final boolean bounces;
    public final boolean peers;
    public final boolean translates;
    private final char terminal;

    Kind(boolean bounces, boolean peers, char terminal) {
      this.bounces = bounces;
      this.peers = peers;
      this.terminal = terminal;
      this.translates = terminal != 'd';
    }
  }

  public static final int SLOTS = 64;

  public final Kind kind;
  public final long granule;
  public final FakeMachine machine = new FakeMachine();
  public final Faults faults = machine.faults;
  public final FakeMemory memory = machine.memory;
  public final DeviceSlot slot = machine.addSlot("nvme0", true);
  public final FakeTerminal terminal;
  public final @Nullable BounceLayer bounce;
  public final DmaStack stack;
  public final DmaMapper mapper;
  public final FakeBlock bus = memory.other(MemoryKind.PEER, "bus", 16);
  public final FakeBlock bridge = memory.other(MemoryKind.PEER, "bridge", 16);
  public final FakeBlock far = memory.other(MemoryKind.PEER, "far", 4);
  public final FakeBlock registers = memory.other(MemoryKind.MMIO, "registers", 1);

  private final DeviceView view;

  public Rig(Kind kind) {
    this(kind, 4096, DeviceLimits.UNLIMITED);
  }

  public Rig(Kind kind, long granule, DeviceLimits limits) {
    this.kind = kind;
    this.granule = kind.translates ? granule : 1;
    terminal =
        switch (kind.terminal) {
          case 'd' -> new DirectTerminal(faults);
          case 'h' -> new HostTerminal(faults, granule, 4096);
          default -> new TranslatingTerminal(faults, granule);
        };
    List<LayerBackend> layers = new ArrayList<>();
    if (kind.peers) {
      layers.add(new PeerLayer(faults));
    }
    bounce = kind.bounces ? new BounceLayer(faults, SLOTS) : null;
    if (bounce != null) {
      layers.add(bounce);
    }
    stack = DmaStack.of(terminal, layers);
    mapper = stack.attach(machine, slot, limits);
    view = terminal.view(machine.addressSpaceFor(slot));
  }

  /** Allocate RAM. */
  public FakeBlock allocate(long length, MemoryPlacement placement) {
    return (FakeBlock) memory.allocate(length, placement);
  }

  /** Return what the device reaches at an address, or {@link DeviceView#NOTHING}. */
  public long reached(long dmaAddress, int access) {
    return dmaAddress >= PeerLayer.BUS ? dmaAddress - PeerLayer.BUS : view.phys(dmaAddress, access);
  }

  /** Tell whether the device can read and write nothing at an address. */
  public boolean isUnreachable(long dmaAddress) {
    return reached(dmaAddress, MapFlags.DEVICE_READS) == DeviceView.NOTHING
        && reached(dmaAddress, MapFlags.DEVICE_WRITES) == DeviceView.NOTHING;
  }

  /** Let the device read a byte. */
  public byte deviceRead(long dmaAddress) {
    long phys = reached(dmaAddress, MapFlags.DEVICE_READS);
    assertThat(phys).as("device reads 0x%x", dmaAddress).isNotEqualTo(DeviceView.NOTHING);
    return memory.get(phys);
  }

  /** Let the device write a byte. */
  public void deviceWrite(long dmaAddress, byte value) {
    long phys = reached(dmaAddress, MapFlags.DEVICE_WRITES);
    assertThat(phys).as("device writes 0x%x", dmaAddress).isNotEqualTo(DeviceView.NOTHING);
    memory.put(phys, value);
    view.written(dmaAddress);
  }

  public int slotsUsed() {
    return bounce == null ? 0 : bounce.slotsUsed();
  }

  /** Everything that could leak, in one line to compare. */
  public String accounts() {
    int runs = terminal instanceof HostTerminal host ? host.runs() : 0;
    return "pins "
        + memory.pins()
        + ", granules "
        + terminal.granulesUsed()
        + ", slots "
        + slotsUsed()
        + ", runs "
        + runs
        + ", live "
        + mapper.liveMappings()
        + ", quarantined "
        + mapper.quarantined()
        + ", blocks "
        + memory.blocks().size();
  }
}
