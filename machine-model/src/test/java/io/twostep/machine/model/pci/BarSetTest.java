package io.twostep.machine.model.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.TestDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Where the BARs of functions lie, and what the configuration space says of them. */
class BarSetTest {
  private static final SlotOptions IDENTITY = SlotOptions.DEFAULT.withTranslation(Translation.IDENTITY);

  private final ModelMachine machine = Machines.of();
  private final TestDevice device = new TestDevice();
  private final MemorySegment word = MemorySegment.ofArray(new long[1]);

  @AfterEach
  void close() {
    machine.close();
  }

  @Test
  void barsCanBeSizedAndMovedBack() {
    try (Arena arena = Arena.ofConfined()) {
      TestDevice two =
          new TestDevice(
              List.of(new BarSpec(Bar.Kind.REGISTERS, 16384), BarSpec.NONE, new BarSpec(Bar.Kind.MEMORY, 1 << 20)), arena.allocate(1 << 20, 4096));
      DeviceSlot slot = machine.plug(Machines.FIRST, two, IDENTITY);
      Bar bar = slot.bar(0);
      assertThat(slot.config().read(0x10, 4)).isEqualTo(bar.busAddress());
      slot.config().write(0x10, 4, 0xffff_ffffL);
      assertThat(slot.config().read(0x10, 4)).isEqualTo(0xffff_c000L);
      assertThat(slot.mmio(0).read32(0)).as("a BAR that was moved away answers nothing").isEqualTo(-1);
      slot.config().write(0x10, 4, bar.busAddress());
      assertThat(slot.mmio(0).read32(0)).isZero();
      assertThat(slot.config().read(0x18, 4) & 0xf).as("prefetchable").isEqualTo(8);
      slot.config().write(0x18, 4, 0xffff_ffffL);
      assertThat(slot.config().read(0x18, 4)).isEqualTo(0xfff0_0008L);
      assertThat(slot.bar(1)).isEqualTo(Bar.NONE);
      assertThat(slot.config().read(0x14, 4)).isZero();
    }
  }

  @Test
  void largeBarsAreSixtyFourBitsWide() {
    try (Arena arena = Arena.ofConfined()) {
      long length = 128L << 20;
      TestDevice large = new TestDevice(List.of(new BarSpec(Bar.Kind.MEMORY, length)), arena.allocate(length, 4096));
      DeviceSlot slot = machine.plug(Machines.FIRST, large, IDENTITY);
      assertThat(slot.bar(0).busAddress()).isGreaterThan(1L << 32);
      assertThat(slot.config().read(0x10, 4) & 0xf).isEqualTo(0xc);
      slot.config().write(0x14, 4, 0xffff_ffffL);
      slot.config().write(0x10, 4, 0xffff_ffffL);
      assertThat(slot.config().read(0x10, 4) & ~0xfL).isEqualTo(-length & 0xffff_ffffL);
      TestDevice bad = new TestDevice(List.of(new BarSpec(Bar.Kind.REGISTERS, length), new BarSpec(Bar.Kind.REGISTERS, 16)), word);
      assertThatThrownBy(() -> machine.plug(Machines.SECOND, bad, IDENTITY))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("64-bit BAR");
    }
  }

  @Test
  void aModelThatDescribesItsBarsBadlyIsRefusedByAddressAndTakesNoRoom() {
    BarSpec registers = new BarSpec(Bar.Kind.REGISTERS, 4096);
    BarSpec memory = new BarSpec(Bar.Kind.MEMORY, 8192);
    long placed = machine.plug(Machines.FIRST, new TestDevice(), IDENTITY).bar(0).busAddress();
    machine.unplug(Machines.FIRST);
    assertRefused(new TestDevice(null, MemorySegment.NULL), "bars() is null");
    assertRefused(new TestDevice(Arrays.asList(registers, null), MemorySegment.NULL), "BarSpec.NONE for gaps");
    assertRefused(new TestDevice(List.of(registers, memory), null), "memory(1) is null");
    assertRefused(new TestDevice(List.of(registers, memory), MemorySegment.ofArray(new byte[4096])), "BAR 1 is 4096 bytes, the BAR 8192");
    assertThat(machine.plug(Machines.FIRST, new TestDevice(), IDENTITY).bar(0).busAddress()).isEqualTo(placed);
  }

  @Test
  void aModelWhoseLastBarFindsNoRoomLeavesTheRoomOfTheOthers() {
    BarSpec half = new BarSpec(Bar.Kind.REGISTERS, 1L << 39);
    BarSpec whole = new BarSpec(Bar.Kind.REGISTERS, 1L << 40);
    assertThatThrownBy(() -> machine.plug(Machines.FIRST, new TestDevice(List.of(half, BarSpec.NONE, whole), MemorySegment.NULL), IDENTITY))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
        .hasMessageContaining("0000:01:00.0: no room");
    DeviceSlot slot = machine.plug(Machines.FIRST, new TestDevice(List.of(whole), MemorySegment.NULL), IDENTITY);
    long phys = slot.bar(0).phys();
    assertThat(machine.memory().regionOf(phys, 1L << 40).kind()).as("one BAR there, and no other").isEqualTo(MemoryKind.MMIO);
    machine.unplug(Machines.FIRST);
    assertThat(machine.memory().regionOf(phys, 1).kind()).isEqualTo(MemoryKind.ABSENT);
  }

  private void assertRefused(TestDevice model, String why) {
    assertThatThrownBy(() -> machine.plug(Machines.FIRST, model, IDENTITY))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("0000:01:00.0: ")
        .hasMessageContaining(why);
  }

  @Test
  void busAndPhysicalAddressesOfBarsDifferAndNeitherIsMemory() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    Bar bar = slot.bar(0);
    assertThat(bar.phys()).isNotEqualTo(bar.busAddress());
    assertThat(machine.memory().regionOf(bar.phys(), 4096).kind()).isEqualTo(MemoryKind.MMIO);
    assertThat(machine.memory().regionOf(bar.busAddress(), 4096).kind()).isEqualTo(MemoryKind.ABSENT);
    assertThat(device.bus.read(bar.phys(), word, 0, 8)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(device.bus.write(bar.busAddress(), word, 0, 8)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    AddressSpace space = machine.addressSpaceFor(slot);
    assertThat(space.reserved()).anyMatch(r -> r.overlaps(bar.busAddress(), bar.busAddress() + 4095));
    assertThat(space.reserved()).anyMatch(r -> r.first() == 0xfee0_0000L && r.last() == 0xfeef_ffffL);
  }

  @Test
  void placesOfUnpluggedBarsAreUsedAgain() {
    long phys = machine.plug(Machines.FIRST, device, IDENTITY).bar(0).phys();
    machine.plug(Machines.SECOND, new TestDevice(), IDENTITY);
    machine.unplug(Machines.FIRST);
    assertThat(machine.memory().regionOf(phys, 1).kind()).isEqualTo(MemoryKind.ABSENT);
    assertThat(machine.plug(Machines.FIRST, new TestDevice(), IDENTITY).bar(0).phys()).isEqualTo(phys);
  }
}
