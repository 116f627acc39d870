package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ModelMachineTest {
  private final ModelMachine machine = Machines.of();
  private final TestDevice device = new TestDevice();
  private final MemorySegment buffer = MemorySegment.ofArray(new byte[8192]);

  @AfterEach
  void close() {
    machine.close();
  }

  @Test
  void identityDeviceReadsWhatTheCpuWroteAcrossScatteredFrames() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT.withTranslation(Translation.IDENTITY));
    slot.busMaster(true);
    MemoryBlock block = machine.memory().allocate(64 * 4096, MemoryPlacement.SCATTERED);
    for (int i = 0; i < 64 * 512; i++) {
      block.segment().setAtIndex(ValueLayout.JAVA_LONG, i, i * 31L);
    }
    for (int page = 0; page < 64; page++) {
      assertThat(device.bus.read(block.phys(page * 4096L), buffer, 0, 4096)).isEqualTo(BusMaster.OK);
      assertThat(buffer.asSlice(0, 4096).mismatch(block.segment().asSlice(page * 4096L, 4096))).isEqualTo(-1);
    }
    block.close();
    assertThat(machine.stats().framesFree()).isEqualTo(machine.stats().frames());
  }

  @Test
  void translatedDeviceSeesALinkOnlyAfterPublish() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
    slot.busMaster(true);
    TableWalkingIommu iommu = (TableWalkingIommu) machine.addressSpaceFor(slot).iommu();
    MemoryBlock tables = machine.memory().allocate(4 * 4096, MemoryPlacement.CONTIGUOUS);
    MemoryBlock data = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    data.segment().fill((byte) 7);
    long root = tables.phys(0);
    MemorySegment view = iommu.tableView().asSlice(root - iommu.tableBase(), 4 * 4096);
    view.set(ValueLayout.JAVA_LONG, 0, root + 4096 | 3);
    view.set(ValueLayout.JAVA_LONG, 4096, root + 8192 | 3);
    view.set(ValueLayout.JAVA_LONG, 8192 + 5 * 8, data.phys(0) | 1);
    TableFormat vtd = iommu.formats().getFirst();
    iommu.setRoot(vtd, root, 3);
    assertThat(device.bus.read(0x5000, buffer, 0, 16)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(machine.stats().unpublishedFaults()).isEqualTo(1);
    iommu.publish(0x5000, 0x5fff);
    assertThat(device.bus.read(0x5010, buffer, 0, 16)).isEqualTo(BusMaster.OK);
    assertThat(buffer.get(ValueLayout.JAVA_BYTE, 3)).isEqualTo((byte) 7);
    assertThat(device.bus.write(0x5000, buffer, 0, 16)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(machine.faults(machine.addressSpaceFor(slot))).hasSize(2);
  }

  @Test
  void pauseStepsAWokenModelAndThenDeliversItsInterrupt() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
    slot.busMaster(true);
    int[] calls = new int[1];
    slot.interrupts().enable(2, () -> calls[0]++);
    device.work =
        budget -> {
          device.signals.interrupt(2);
          return false;
        };
    slot.mmio(0).write32(8, 1);
    assertThat(calls[0]).isZero();
    machine.timers().pause();
    assertThat(calls[0]).isEqualTo(1);
  }

  @Test
  void closesEverythingEvenIfAModelFailsToClose() {
    ModelMachine other = Machines.of();
    TestDevice second = new TestDevice();
    other.plug(
        Machines.FIRST,
        new TestDevice() {
          @Override
          public void close() {
            throw new IllegalStateException("broken model");
          }
        },
        SlotOptions.DEFAULT);
    other.plug(Machines.SECOND, second, SlotOptions.DEFAULT);
    MemoryBlock block = other.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemorySegment segment = block.segment();
    assertThatThrownBy(other::close).hasMessage("broken model");
    assertThat(second.closed).isTrue();
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    other.close();
    assertThatThrownBy(() -> other.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void modelsThatChangeTheMachineWhileItClosesAreRefusedOrServedAndNothingStaysOpen() {
    ModelMachine other = Machines.of();
    TestDevice late = new TestDevice();
    TestDevice second = new TestDevice();
    other.plug(
        Machines.FIRST,
        new TestDevice() {
          @Override
          public void close() {
            assertThatThrownBy(() -> other.plug(new DeviceAddress("0000:03:00.0"), late, SlotOptions.DEFAULT)).hasMessage("machine model is closed");
            other.unplug(Machines.SECOND);
            super.close();
          }
        },
        SlotOptions.DEFAULT);
    other.plug(Machines.SECOND, second, SlotOptions.DEFAULT);
    MemorySegment segment = other.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).segment();
    other.close();
    assertThat(second.closes).isEqualTo(1);
    assertThat(late.bus).isNull();
    assertThat(other.slots()).isEmpty();
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void namesWhatIsNotItsOwn() {
    try (ModelMachine other = Machines.of()) {
      DeviceSlot foreign = other.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
      assertThatThrownBy(() -> machine.addressSpaceFor(foreign)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0000:01:00.0");
      assertThatThrownBy(() -> machine.faults(other.addressSpaceFor(foreign))).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("group");
      assertThatThrownBy(() -> machine.translationStats(other.addressSpaceFor(foreign))).isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> machine.slot(Machines.FIRST)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("no device");
  }

  @Test
  void aModelThatFailsToConnectLeavesItsAddressToAnother() {
    TestDevice broken =
        new TestDevice() {
          @Override
          public void connect(BusMaster bus, Signals signals) {
            throw new IllegalStateException("broken model");
          }
        };
    assertThatThrownBy(() -> machine.plug(Machines.FIRST, broken, SlotOptions.DEFAULT)).hasMessage("broken model");
    assertThat(machine.slots()).isEmpty();
    assertThat(broken.closed).isTrue();
    assertThat(machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT).config().read(0, 2)).isEqualTo(device.identity().vendor());
  }

  @Test
  void aGroupWithoutMembersTakesAnyKindOfTranslation() {
    SlotOptions none = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
    AddressSpace first = machine.addressSpaceFor(machine.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT));
    machine.unplug(Machines.FIRST);
    assertThat(machine.addressSpaceFor(machine.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT))).as("of the same kind").isSameAs(first);
    machine.unplug(Machines.FIRST);
    AddressSpace second = machine.addressSpaceFor(machine.plug(Machines.FIRST, new TestDevice(), none));
    assertThat(second.translation()).isEqualTo(Translation.NONE);
    assertThat(machine.translationStats(first)).as("what is gone is still known").isNotNull();
    TestDevice misshapen = new TestDevice(List.of(new BarSpec(Bar.Kind.REGISTERS, 17)), MemorySegment.NULL);
    assertThatThrownBy(() -> machine.plug(Machines.SECOND, misshapen, none)).hasMessageContaining("power of two");
    assertThat(machine.addressSpaceFor(machine.plug(Machines.SECOND, new TestDevice(), SlotOptions.DEFAULT)).translation()).isEqualTo(Translation.TRANSLATED);
    assertThatThrownBy(() -> machine.plug(new DeviceAddress("0000:03:00.0"), new TestDevice(), none.withGroup("0000:02:00.0")))
        .as("a group with a member")
        .hasMessageContaining("a member cannot be");
  }

  @Test
  void refusesAnAddressThatIsTakenOrMalformed() {
    machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
    assertThatThrownBy(() -> machine.plug(Machines.FIRST, new TestDevice(), SlotOptions.DEFAULT))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is taken");
    assertThatThrownBy(() -> machine.plug(new DeviceAddress("nvme0"), new TestDevice(), SlotOptions.DEFAULT))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0000:01:00.0");
  }
}
