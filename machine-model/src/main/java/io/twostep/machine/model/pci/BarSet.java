package io.twostep.machine.model.pci;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.PeerRange;
import io.twostep.machine.model.memory.MmioMap;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A function's BARs: placed in the bridge's windows, entered in the physical address map, and shown as registers of its configuration space.
 *
 * <p>A BAR larger than 64 MiB is a 64-bit one and takes two registers, so the next index must be free. Software may size a BAR by writing ones; a BAR moved away
 * from where the machine placed it answers nothing until it is moved back. Once the function is pulled out, the place of a BAR goes to another function only when nothing of the BAR is published any more.
 */
final class BarSet {
  private static final int TYPE_64 = 0x4;
  private static final int PREFETCHABLE = 0x8;
  private static final long SMALLEST = 16;

  private final Bar[] bars = new Bar[ConfigRegisters.BARS];
  private final boolean[] wide = new boolean[ConfigRegisters.BARS];

  /** Which BARs have a place in the bridge's windows. */
  private final boolean[] placed = new boolean[ConfigRegisters.BARS];

  private final HostBridge bridge;
  private final MmioMap map;
  private final long busToPhys;
  private final int ownIndex;

  /**
   * Place the model's BARs, and the machine's own in the last free index; all of them, or none.
   *
   * @param busToPhys what turns a bus address of the function into a physical one when added
   * @param own the machine's own, NONE if it needs none; left out if no index is free
   */
  BarSet(String device, DeviceModel model, BarSpec own, ConfigRegisters config, HostBridge bridge, long busToPhys, MmioMap map) {
    this.bridge = bridge;
    this.busToPhys = busToPhys;
    this.map = map;
    List<BarSpec> specs = model.bars();
    requireShape(device, model, specs);
    Arrays.fill(bars, Bar.NONE);
    try {
      for (int i = 0; i < specs.size(); i++) {
        if (specs.get(i).kind() != Bar.Kind.NONE) {
          place(device, model, config, i, specs.get(i));
        }
      }
      ownIndex = own.kind() == Bar.Kind.NONE ? -1 : lastFree();
      if (ownIndex >= 0) {
        place(device, model, config, ownIndex, own);
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, this::remove, () -> giveBackPlaces(List.of()));
    }
  }

  private int lastFree() {
    for (int i = ConfigRegisters.BARS - 1; i >= 0; i--) {
      if (bars[i].kind() == Bar.Kind.NONE && (i == 0 || !wide[i - 1])) {
        return i;
      }
    }
    return -1;
  }

  /** Return the index of the machine's own BAR, -1 if there is none. */
  int ownIndex() {
    return ownIndex;
  }

  private static void requireShape(String device, DeviceModel model, @Nullable List<BarSpec> specs) {
    if (specs == null || specs.stream().anyMatch(Objects::isNull)) {
      throw new IllegalArgumentException(device + ": the model's bars() is " + specs + "; give a BarSpec per index, BarSpec.NONE for gaps");
    }
    if (specs.size() > ConfigRegisters.BARS) {
      throw new IllegalArgumentException(device + ": " + specs.size() + " BARs; a function has at most 6");
    }
    for (int i = 0; i < specs.size(); i++) {
      BarSpec spec = specs.get(i);
      if (spec.kind() == Bar.Kind.NONE) {
        continue;
      }
      if (spec.length() < SMALLEST || Long.bitCount(spec.length()) != 1) {
        throw new IllegalArgumentException(
            device + ": BAR " + i + " of " + spec.length() + " bytes; a BAR is a power of two of at least 16 bytes");
      }
      boolean nextTaken = i + 1 < specs.size() && specs.get(i + 1).kind() != Bar.Kind.NONE;
      if (spec.length() > HostBridge.LARGEST_32 && (nextTaken || i == ConfigRegisters.BARS - 1)) {
        throw new IllegalArgumentException(
            device + ": BAR " + i + " of " + spec.length() + " bytes is a 64-bit BAR and needs the next index free");
      }
      if (spec.kind() == Bar.Kind.MEMORY) {
        requireMemory(device, model, i, spec);
      }
    }
  }

  private void place(String device, DeviceModel model, ConfigRegisters config, int index, BarSpec spec) {
    boolean memory = spec.kind() == Bar.Kind.MEMORY;
    MemorySegment segment = memory ? requireMemory(device, model, index, spec) : null;
    long bus = bridge.place(device, spec.length());
    long phys = bus + busToPhys;
    map.add(phys, spec.length(), device + " BAR " + index, segment);
    bars[index] = new Bar(spec.kind(), phys, bus, spec.length());
    placed[index] = true;
    wide[index] = spec.length() > HostBridge.LARGEST_32;
    int register = ConfigRegisters.BAR_0 + 4 * index;
    int type = (wide[index] ? TYPE_64 : 0) | (memory ? PREFETCHABLE : 0);
    int registerWidth = wide[index] ? 8 : 4;
    config.set(register, registerWidth, bus | type);
    config.allow(register, registerWidth, -spec.length());
  }

  private static MemorySegment requireMemory(String device, DeviceModel model, int index, BarSpec spec) {
    @Nullable MemorySegment segment = model.memory(index);
    if (segment == null) {
      throw new IllegalArgumentException(device + ": the model's memory(" + index + ") is null; give the " + spec.length() + " bytes of the BAR");
    }
    if (segment.byteSize() != spec.length()) {
      throw new IllegalArgumentException(
          device + ": the memory of BAR " + index + " is " + segment.byteSize() + " bytes, the BAR " + spec.length());
    }
    return segment;
  }

  Bar get(int index) {
    return bars[index];
  }

  /** Return the index of the BAR that holds a bus address, -1 if none does. */
  int atBusAddress(long busAddress) {
    for (int i = 0; i < bars.length; i++) {
      if (Long.compareUnsigned(busAddress - bars[i].busAddress(), bars[i].length()) < 0) {
        return i;
      }
    }
    return -1;
  }

  /** Return the index of the BAR that holds a physical address, -1 if none does. */
  int atPhys(long phys) {
    for (int i = 0; i < bars.length; i++) {
      if (Long.compareUnsigned(phys - bars[i].phys(), bars[i].length()) < 0) {
        return i;
      }
    }
    return -1;
  }

  /** Tell whether a BAR's register holds the address the machine gave it. */
  boolean inPlace(int index, ConfigRegisters config) {
    long value = config.get(ConfigRegisters.BAR_0 + 4 * index, wide[index] ? 8 : 4);
    return (value & -16L) == bars[index].busAddress();
  }

  /** Put every register back to where the machine placed its BAR. */
  void restore(ConfigRegisters config) {
    for (int i = 0; i < bars.length; i++) {
      if (bars[i].kind() != Bar.Kind.NONE) {
        int register = ConfigRegisters.BAR_0 + 4 * i;
        config.set(register, wide[i] ? 8 : 4, bars[i].busAddress() | (config.get(register, 1) & 0xf));
      }
    }
  }

  /** Take the BARs out of the address map; their places stay taken until {@link #giveBackPlaces}. */
  void remove() {
    for (Bar bar : bars) {
      if (bar.kind() != Bar.Kind.NONE) {
        map.remove(bar.phys());
      }
    }
  }

  /**
   * Give back the places of removed BARs, but for those of which a part is still published: peers that were given its addresses may go on using them, and must not meet another function there.
   *
   * <p>May be repeated.
   */
  void giveBackPlaces(List<PeerRange> published) {
    for (int i = 0; i < bars.length; i++) {
      int index = i;
      if (placed[i] && published.stream().noneMatch(range -> range.bar() == index)) {
        placed[i] = false;
        bridge.release(bars[i].busAddress());
      }
    }
  }
}
