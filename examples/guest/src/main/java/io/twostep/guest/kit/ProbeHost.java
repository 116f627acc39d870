package io.twostep.guest.kit;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * This computer with its probes, opened once for all tests of a kind: opening takes seconds in a guest. What a test left in an address space is swept away before the next.
 *
 * <p>Who opens it says beforehand which controllers are probes; their media are overwritten.
 */
final class ProbeHost implements AutoCloseable {
  /** Where QEMU tells what its IOMMU refuses: its events {@code vtd_dmar_fault} and {@code vtd_iotlb_page_hit}. */
  private static final Path FAULTS = Path.of("/tmp/share/faults");

  private static final long MEMORY = 256L << 20;
  private static final LinuxMachineConfig CONFIG = LinuxMachineConfig.DEFAULT.withMemory(MEMORY);

  private static @Nullable ProbeHost current;
  private static List<String> addresses = List.of();

  private final Addressing addressing;
  private final LinuxMachine machine;
  private final LaneMachine lane;
  private final List<NvmeProbe> probes = new ArrayList<>();
  private final Deque<NvmeProbe> free = new ArrayDeque<>();

  private ProbeHost(Addressing addressing) {
    this.addressing = addressing;
    machine = LinuxMachine.open(CONFIG.withAddressing(addressing));
    lane = new LaneMachine(machine, machine.memory().highestAddress() + 1 - MEMORY, MEMORY);
    try {
      for (String address : addresses) {
        probes.add(open(machine.slot(new DeviceAddress(address))));
      }
      free.addAll(probes);
    } catch (RuntimeException e) {
      machine.close();
      throw e;
    }
  }

  /** Say which controllers are probes, each in a group of its own. */
  static synchronized void use(List<String> controllers) {
    addresses = List.copyOf(controllers);
  }

  /** Return the computer with its probes, opened in this way. */
  static synchronized ProbeHost of(Addressing addressing) {
    ProbeHost known = current;
    if (known == null || known.addressing != addressing) {
      release();
      known = new ProbeHost(addressing);
      current = known;
    }
    return known;
  }

  /** Give everything back. */
  static synchronized void release() {
    ProbeHost known = current;
    current = null;
    if (known != null) {
      known.close();
    }
  }

  /** Open a probe and have it prove that it can tell what is refused: what else it said would mean nothing. */
  private NvmeProbe open(DeviceSlot slot) {
    AddressSpace space = machine.addressSpaceFor(slot);
    if (space.translation() == AddressSpace.Translation.TRANSLATED) {
      lane.open(space);
    }
    NvmeProbe probe = new NvmeProbe(lane, slot, new FaultLog(FAULTS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(8);
      long granted = lane.addressSpaceFor(slot).offsetWindows().getFirst().firstDmaAddress();
      long refused = 0x80000;
      if (probe.read(granted, bytes, 0, 8) != 0 || probe.read(refused, bytes, 0, 8) == 0 || probe.write(refused, bytes, 0, 8) == 0) {
        throw new IllegalStateException(slot.address() + ": what the IOMMU refuses is not told in " + FAULTS + "; run by './twostep guest-test'");
      }
    }
    return probe;
  }

  AddressSpace.Translation translation() {
    return addressing == Addressing.REGISTERED ? AddressSpace.Translation.NONE : AddressSpace.Translation.TRANSLATED;
  }

  LinuxMachine machine() {
    return machine;
  }

  LaneMachine lane() {
    return lane;
  }

  /** Take a probe whose address space has nothing but the lane in it; null if all are taken. */
  synchronized @Nullable NvmeProbe tryTake() {
    NvmeProbe probe = free.poll();
    if (probe != null) {
      AddressSpace space = machine.addressSpaceFor(probe.slot());
      if (space.translation() == AddressSpace.Translation.TRANSLATED) {
        lane.sweep(space);
      }
    }
    return probe;
  }

  /** Give a probe back; what was left in its address space stays until it is taken again. */
  synchronized void giveBack(NvmeProbe probe) {
    probe.busMaster(true);
    free.push(probe);
  }

  @Override
  public void close() {
    try {
      probes.forEach(NvmeProbe::close);
    } finally {
      machine.close();
    }
  }
}
