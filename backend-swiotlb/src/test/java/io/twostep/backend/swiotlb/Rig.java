package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A modelled machine with one probe device on a stack with the bounce layer; checks at close that nothing is left. */
final class Rig implements AutoCloseable {
  static final SwiotlbConfig CONFIG = SwiotlbConfig.defaults().withSize(1 << 20, 4 << 20).withAreas(2);

  final ModelMachine machine;
  final ProbeDevice device = new ProbeDevice();
  final DeviceSlot slot;
  final TerminalBackend terminal;
  final SwiotlbBackend layer;
  final DmaStack stack;
  final DmaMapper mapper;
  private final List<MemoryBlock> blocks = new ArrayList<>();

  Rig(TerminalBackend terminal, SlotOptions options, DeviceLimits limits, SwiotlbConfig config, String... settings) {
    Map<String, String> given = new HashMap<>(Map.of("memory", "256M"));
    for (int i = 0; i < settings.length; i += 2) {
      given.put(settings[i], settings[i + 1]);
    }
    machine = (ModelMachine) new ModelMachinePlugin().create(Settings.of(new ModelMachinePlugin(), given));
    slot = machine.plug(new DeviceAddress("0000:01:00.0"), device, options);
    slot.busMaster(true);
    this.terminal = terminal;
    layer = new SwiotlbBackend(config);
    stack = DmaStack.of(terminal, layer);
    mapper = stack.attach(machine, slot, limits);
  }

  /** Allocates memory filled with a pattern. */
  MemoryBlock allocate(long length, MemoryPlacement placement) {
    MemoryBlock block = machine.memory().allocate(length, placement);
    blocks.add(block);
    fill(block.segment(), 1);
    return block;
  }

  /** Fills a segment so that every byte tells where it is. */
  static void fill(MemorySegment segment, int salt) {
    for (long i = 0; i < segment.byteSize(); i++) {
      segment.set(ValueLayout.JAVA_BYTE, i, pattern(salt, i));
    }
  }

  static byte pattern(int salt, long at) {
    return (byte) (at * 31 + (at >>> 8) * 7 + salt * 13 + 1);
  }

  static byte[] bytes(MemorySegment segment, long offset, int length) {
    return segment.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  static byte[] patterned(int length, int salt) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = pattern(salt, i);
    }
    return bytes;
  }

  /** Returns the bytes that {@link #fill} put at an offset. */
  static byte[] bytesOf(int salt, int offset, int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = pattern(salt, offset + i);
    }
    return bytes;
  }

  static void requireRefused(Reason reason, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason))
        .hasMessageContaining("0000:01:00.0");
  }

  long slotsUsed() {
    return layer.statistics().usedSlots();
  }

  @Override
  public void close() {
    try {
      assertThat(mapper.liveMappings()).as("live mappings").isZero();
      assertThat(mapper.quarantined()).as("quarantined").isZero();
      assertThat(slotsUsed()).as("slots used").isZero();
      mapper.close();
      assertThat(layer.statistics().devices()).isZero();
      assertThat(layer.statistics().lostSlots()).isZero();
      layer.close();
      terminal.close();
      blocks.forEach(MemoryBlock::close);
      assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
    } finally {
      machine.close();
    }
  }
}
