package io.twostep.machine.model.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.TestDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ModelSlotTest {
  private static final SlotOptions IDENTITY = SlotOptions.DEFAULT.withTranslation(Translation.IDENTITY);

  private final ModelMachine machine = Machines.of();
  private final TestDevice device = new TestDevice();
  private final MemorySegment word = MemorySegment.ofArray(new long[1]);

  @AfterEach
  void close() {
    machine.close();
  }

  @Test
  void identifiesItselfInItsConfigurationSpace() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    assertThat(slot.deviceId()).isEqualTo(0x0010_1b36);
    assertThat(slot.classCode()).isEqualTo(0x010802);
    assertThat(slot.config().read(8, 1)).isEqualTo(2);
    slot.config().write(0, 4, 0);
    assertThat(slot.config().read(2, 2)).as("read-only").isEqualTo(0x0010);
    assertThatThrownBy(() -> slot.config().read(2, 4)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> slot.config().read(4096, 4)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void capabilitiesLeadToMsixWithItsTableInABarOfItsOwn() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    assertThat(slot.config().read(6, 2) & 0x10).as("has capabilities").isEqualTo(0x10);
    int express = (int) slot.config().read(0x34, 1);
    assertThat(slot.config().read(express, 1)).isEqualTo(0x10);
    int msix = (int) slot.config().read(express + 1, 1);
    assertThat(slot.config().read(msix, 1)).isEqualTo(0x11);
    assertThat(slot.config().read(msix + 1, 1)).as("the last").isZero();
    assertThat(slot.config().read(msix + 2, 2)).as("four vectors, off").isEqualTo(3);
    int bar = (int) slot.config().read(msix + 4, 4) & 7;
    long pending = slot.config().read(msix + 8, 4) & ~7L;
    Mmio table = slot.mmio(bar);
    assertThat(table.read32(12)).as("masked at first").isEqualTo(1);
    table.write64(0, 0xfee0_0000L);
    table.write32(8, 0x41);
    assertThat(table.read64(0)).isEqualTo(0xfee0_0000L);
    assertThat(table.read32(8)).isEqualTo(0x41);
    List<Integer> calls = new ArrayList<>();
    for (int v = 0; v < 4; v++) {
      int vector = v;
      slot.interrupts().enable(v, () -> calls.add(vector));
    }
    assertThat(slot.config().read(msix + 2, 2)).isEqualTo(0x8003);
    assertThat(table.read32(16 + 12)).isZero();
    table.write32(16 + 12, 1);
    device.signals.interrupt(1);
    device.signals.interrupt(3);
    machine.timers().pause();
    assertThat(calls).containsExactly(3);
    assertThat(table.read64(pending)).isEqualTo(2);
    table.write32(16 + 12, 0);
    machine.timers().pause();
    assertThat(calls).containsExactly(3, 1);
    slot.config().write(msix + 2, 2, 0xc003);
    device.signals.interrupt(2);
    machine.timers().pause();
    assertThat(calls).as("function mask").hasSize(2);
    slot.config().write(msix + 2, 2, 0x8003);
    machine.timers().pause();
    assertThat(calls).containsExactly(3, 1, 2);
  }

  @Test
  void aFunctionLevelResetByConfigurationWriteIsAReset() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    int control = (int) slot.config().read(0x34, 1) + 8;
    slot.config().write(control, 2, 0x2810);
    assertThat(device.resets).isZero();
    slot.config().write(control, 2, 0x8000 | 0x2810);
    assertThat(device.resets).isEqualTo(1);
    assertThat(slot.config().read(control, 2) & 0x8000).isZero();
    assertThat(device.bus.read(0x10_0000, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
  }

  @Test
  void accessControlIsThereExactlyWhereFunctionsAreIsolated() {
    assertThat(machine.plug(Machines.FIRST, device, IDENTITY).config().read(0x100, 2)).isEqualTo(0x0d);
    try (ModelMachine open = Machines.of("isolation", "false")) {
      assertThat(open.plug(Machines.FIRST, new TestDevice(), IDENTITY).config().read(0x100, 4)).isZero();
    }
  }

  @Test
  void aBusAccessThatDoesNotFitItsSegmentNamesTheDevice() {
    machine.plug(Machines.FIRST, device, IDENTITY);
    assertThatThrownBy(() -> device.bus.read(0x1000, word, 4, 8))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessage("0000:01:00.0: read of 8 bytes at 0x1000 does not fit the segment: offset 4 of 8 bytes");
    assertThatThrownBy(() -> device.bus.write(0x1000, word, 0, -1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> device.bus.write(0x1000, word, -1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aModelThatThrowsInStepIsNamedToWhoPausesAndLosesNoTimer() {
    machine.plug(Machines.FIRST, device, IDENTITY);
    int[] ran = new int[1];
    IllegalArgumentException cause = new IllegalArgumentException("bad opcode");
    device.work =
        budget -> {
          throw cause;
        };
    device.signals.wake();
    machine.timers().schedule(0, () -> ran[0]++);
    assertThatThrownBy(() -> machine.timers().pause())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("0000:01:00.0: the model failed in step: java.lang.IllegalArgumentException: bad opcode")
        .hasCause(cause);
    machine.timers().pause();
    assertThat(ran[0]).isEqualTo(1);
  }

  @Test
  void registersAreReachedInTheWidthGivenAndOnlyInside() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    Mmio mmio = slot.mmio(0);
    mmio.write64(8, 0x1122_3344_5566_7788L);
    assertThat(mmio.read64(8)).isEqualTo(0x1122_3344_5566_7788L);
    assertThat(mmio.read32(12)).isEqualTo(0x1122_3344);
    mmio.write32(16, -1);
    assertThat(mmio.read64(16)).isEqualTo(0xffff_ffffL);
    assertThat(mmio.length()).isEqualTo(4096);
    for (long bad : new long[] {-8, 4, 4092, 4096, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> mmio.read64(bad)).isInstanceOf(IndexOutOfBoundsException.class).hasMessageContaining("0000:01:00.0");
    }
    assertThatThrownBy(() -> slot.mmio(1)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("BAR 1");
    assertThatThrownBy(() -> slot.memory(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void withoutDecodingRegistersReadAllOnesAndLoseWrites() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    Mmio mmio = slot.mmio(0);
    mmio.write64(0, 7);
    slot.config().write(4, 2, 0);
    assertThat(mmio.read32(0)).isEqualTo(-1);
    assertThat(mmio.read64(0)).isEqualTo(-1L);
    mmio.write64(0, 9);
    slot.config().write(4, 2, 2);
    assertThat(mmio.read64(0)).isEqualTo(7);
  }

  @Test
  void aDeviceThatMayNotMasterTheBusReachesNothing() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    long phys = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).phys(0);
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
    slot.busMaster(true);
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(slot.config().read(4, 2) & 4).isEqualTo(4);
    slot.busMaster(false);
    assertThat(device.bus.write(phys, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
    assertThat(machine.stats().refusedNotMaster()).as("the one trace a refused access leaves").isEqualTo(2);
    slot.config().write(4, 2, 6);
    assertThat(device.bus.write(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
  }

  @Test
  void aMessageSignalledInterruptWaitsUntilTheDeviceMayMasterTheBus() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    List<String> calls = new ArrayList<>();
    slot.interrupts().enable(0, () -> calls.add("interrupt"));
    device.signals.interrupt(0);
    machine.timers().pause();
    assertThat(calls).as("it is a write, like any other").isEmpty();
    slot.busMaster(true);
    machine.timers().pause();
    assertThat(calls).hasSize(1);
    slot.config().write(4, 2, 2);
    device.signals.interrupt(0);
    machine.timers().pause();
    assertThat(calls).hasSize(1);
    slot.config().write(4, 2, 6);
    machine.timers().pause();
    assertThat(calls).hasSize(2);
  }

  @Test
  void aResetForgetsEverythingButThePlaceOfTheBars() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    slot.mmio(0).write64(0, 5);
    List<String> calls = new ArrayList<>();
    slot.interrupts().enable(0, () -> calls.add("interrupt"));
    device.work =
        budget -> {
          calls.add("step");
          return true;
        };
    device.signals.interrupt(0);
    device.signals.wake();
    long busAddress = slot.bar(0).busAddress();
    slot.config().write(0x10, 4, 0);
    slot.reset();
    machine.timers().pause();
    assertThat(calls).isEmpty();
    assertThat(device.resets).isEqualTo(1);
    assertThat(slot.config().read(0x10, 4)).isEqualTo(busAddress);
    assertThat(slot.mmio(0).read64(0)).isZero();
    assertThat(device.bus.read(0x10_0000, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
    slot.busMaster(true);
    device.signals.interrupt(0);
    machine.timers().pause();
    assertThat(calls).as("handlers are the host's and stay").containsExactly("interrupt");
  }

  @Test
  void aResetForgetsTheTurnsThatTheModelAskedForLater() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    List<String> calls = new ArrayList<>();
    device.work =
        budget -> {
          calls.add("step");
          return false;
        };
    machine.timers().schedule(3_000_000, () -> calls.add("timer"));
    device.signals.wakeAfter(1_000_000);
    slot.reset();
    device.signals.wakeAfter(2_000_000);
    while (!calls.contains("timer")) {
      machine.timers().pause();
    }
    assertThat(calls).containsExactly("step", "timer");
    device.signals.wakeAfter(1L << 60);
    machine.unplug(Machines.FIRST);
    device.signals.wakeAfter(1L << 60);
    machine.timers().pause();
    assertThat(machine.timers().nanoTime()).as("nothing is left to jump to").isLessThan(1L << 59);
  }

  @Test
  void aDeviceThatWasPulledOutIsGone() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    Mmio mmio = slot.mmio(0);
    AddressSpace space = machine.addressSpaceFor(slot);
    device.work =
        budget -> {
          throw new AssertionError("stepped after it was pulled out");
        };
    device.signals.wake();
    machine.unplug(Machines.FIRST);
    machine.timers().pause();
    assertThat(device.closed).isTrue();
    assertThat(mmio.read32(0)).isEqualTo(-1);
    mmio.write32(0, 1);
    assertThat(device.registers[0]).isZero();
    assertThat(slot.config().read(0, 4)).isEqualTo(0xffff_ffffL);
    assertThat(slot.config().read(0, 2)).isEqualTo(0xffffL);
    assertThat(device.bus.read(0x10_0000, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
    assertThatThrownBy(() -> slot.mmio(0))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED));
    assertThat(machine.slots()).isEmpty();
    assertThat(machine.addressSpaceFor(slot)).as("teardown still finds the space").isSameAs(space);
    assertThat(space.members()).isEmpty();
    slot.busMaster(true);
    assertThat(device.bus.read(0x10_0000, word, 0, 8)).isEqualTo(BusMaster.NOT_MASTER);
    slot.reset();
    device.signals.wake();
    machine.timers().pause();
    assertThatThrownBy(() -> machine.unplug(Machines.FIRST)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void memoryThatIsBeingPublishedWhileItsDeviceIsPulledOutIsNotPublished() {
    TestDevice memory = new TestDevice(List.of(new BarSpec(Bar.Kind.MEMORY, 8192)), MemorySegment.ofArray(new long[1024]));
    DeviceSlot slot = machine.plug(Machines.FIRST, memory, IDENTITY);
    machine.plug(Machines.SECOND, device, IDENTITY);
    CompletableFuture<PeerMemory> published = new CompletableFuture<>();
    // Models work under the machine's lock: who publishes waits for it.
    device.work =
        budget -> {
          Thread publisher = Thread.ofPlatform().start(() -> complete(published, () -> PeerMemory.publish(machine, slot, 0, 0, 8192)));
          while (publisher.isAlive() && LockSupport.getBlocker(publisher) == null) {
            Thread.onSpinWait();
          }
          machine.unplug(Machines.FIRST);
          return false;
        };
    device.signals.wake();
    machine.timers().pause();
    assertThatThrownBy(published::join)
        .cause()
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DETACHED));
  }

  private static <T> void complete(CompletableFuture<T> outcome, Supplier<T> call) {
    try {
      outcome.complete(call.get());
    } catch (RuntimeException e) {
      outcome.completeExceptionally(e);
    }
  }

  @Test
  void functionsOfOneGroupShareOneAddressSpace() {
    SlotOptions grouped = SlotOptions.DEFAULT.withGroup("7");
    DeviceSlot first = machine.plug(Machines.FIRST, device, grouped);
    DeviceSlot second = machine.plug(Machines.SECOND, new TestDevice(), grouped);
    DeviceSlot alone = machine.plug(new DeviceAddress("0000:03:00.0"), new TestDevice(), SlotOptions.DEFAULT);
    assertThat(machine.addressSpaceFor(first)).isSameAs(machine.addressSpaceFor(second)).isNotSameAs(machine.addressSpaceFor(alone));
    assertThat(machine.addressSpaceFor(first).members()).containsExactly(first, second);
    assertThat(machine.addressSpaceFor(first).name()).isEqualTo("group 7");
    assertThatThrownBy(() -> machine.plug(new DeviceAddress("0000:04:00.0"), new TestDevice(), IDENTITY.withGroup("7")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("group 7");
    assertThat(machine.slots()).containsExactly(first, second, alone);
  }

  @Test
  void functionsOfOneBusShareAGroupWhereNothingIsolatesThem() {
    try (ModelMachine open = Machines.of("isolation", "false")) {
      DeviceSlot a = open.plug(new DeviceAddress("0000:05:00.0"), new TestDevice(), SlotOptions.DEFAULT);
      DeviceSlot b = open.plug(new DeviceAddress("0000:05:01.0"), new TestDevice(), SlotOptions.DEFAULT);
      DeviceSlot c = open.plug(new DeviceAddress("0000:06:00.0"), new TestDevice(), SlotOptions.DEFAULT);
      assertThat(open.addressSpaceFor(a)).isSameAs(open.addressSpaceFor(b)).isNotSameAs(open.addressSpaceFor(c));
    }
  }

  @Test
  void untranslatedDevicesSeeMemoryThroughTheInboundWindows() {
    try (ModelMachine offset = Machines.of("inbound", "0x100000:0x80000000:0x100000,0x400000:0x10000000:0x200000", "bus-bits", "32")) {
      DeviceSlot slot = offset.plug(Machines.FIRST, device, SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      slot.busMaster(true);
      AddressSpace space = offset.addressSpaceFor(slot);
      assertThat(space.offsetWindows()).hasSize(2);
      assertThat(space.busLimit()).isEqualTo(0xffff_ffffL);
      assertThatThrownBy(space::iommu).isInstanceOf(IllegalStateException.class);
      MemoryBlock block = offset.memory().allocate(4096, MemoryPlacement.CONTIGUOUS, 0x1f_ffffL);
      word.set(ValueLayout.JAVA_LONG, 0, 42);
      assertThat(device.bus.write(block.phys(0) - 0x10_0000 + 0x8000_0000L, word, 0, 8)).isEqualTo(BusMaster.OK);
      assertThat(block.segment().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
      assertThat(device.bus.write(block.phys(0), word, 0, 8)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
      assertThat(device.bus.write(1L << 32, word, 0, 8)).as("beyond the bus").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    }
  }

  @Test
  void aBlockedSpaceLetsNothingThrough() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT.withTranslation(Translation.BLOCKED));
    slot.busMaster(true);
    long phys = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).phys(0);
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
  }

  @Test
  void accessesToFreedMemoryAreCountedAndNeverSeenByTheNextOwner() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    long phys = block.phys(0);
    assertThat(machine.stats().strayAccesses()).isZero();
    block.close();
    word.set(ValueLayout.JAVA_LONG, 0, -1);
    assertThat(device.bus.write(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(machine.stats().strayAccesses()).isEqualTo(1);
    long neverUsed = 0x900_0000;
    assertThat(device.bus.write(neverUsed, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(machine.stats().strayAccesses()).isEqualTo(2);
    MemoryBlock half = machine.memory().allocate(128 << 20, MemoryPlacement.CONTIGUOUS);
    MemoryBlock rest = machine.memory().allocate(127 << 20, MemoryPlacement.SCATTERED);
    MemorySegment seen = MemorySegment.ofArray(new long[1]);
    for (long at : new long[] {phys, neverUsed}) {
      seen.fill((byte) 1);
      machine.memory().read(at, seen, 0, 8);
      assertThat(seen.get(ValueLayout.JAVA_LONG, 0)).isZero();
    }
    assertThat(machine.memory().regionOf(neverUsed, 8)).isSameAs(machine.memory().regionOf(half.phys(0), 8));
    half.close();
    rest.close();
  }

  @Test
  void aDeviceThatDoesNotSnoopSeesMemoryNotCaches() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY.withCoherent(false));
    TestDevice snooping = new TestDevice();
    DeviceSlot other = machine.plug(Machines.SECOND, snooping, IDENTITY);
    slot.busMaster(true);
    other.busMaster(true);
    MemoryBlock block = machine.memory().allocate(8192, MemoryPlacement.SCATTERED);
    block.segment().set(ValueLayout.JAVA_LONG, 0, 5);
    device.bus.read(block.phys(0), word, 0, 8);
    assertThat(word.get(ValueLayout.JAVA_LONG, 0)).isZero();
    machine.memory().cleanCache(block.phys(0), 8);
    device.bus.read(block.phys(0), word, 0, 8);
    assertThat(word.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
    word.set(ValueLayout.JAVA_LONG, 0, 6);
    device.bus.write(block.phys(64), word, 0, 8);
    assertThat(block.segment().get(ValueLayout.JAVA_LONG, 64)).isZero();
    machine.memory().invalidateCache(block.phys(64), 8);
    assertThat(block.segment().get(ValueLayout.JAVA_LONG, 64)).isEqualTo(6);
    word.set(ValueLayout.JAVA_LONG, 0, 7);
    snooping.bus.write(block.phys(4096), word, 0, 8);
    assertThat(block.segment().get(ValueLayout.JAVA_LONG, 4096)).isEqualTo(7);
    word.set(ValueLayout.JAVA_LONG, 0, 0);
    device.bus.read(block.phys(4096), word, 0, 8);
    assertThat(word.get(ValueLayout.JAVA_LONG, 0)).as("written by a device that snoops").isEqualTo(7);
  }

  @Test
  void chosenCallsFailOnceTheWayTheyFailInEarnest() {
    DeviceSlot slot = machine.plug(Machines.FIRST, device, IDENTITY);
    slot.busMaster(true);
    long phys = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).phys(0);
    FailNth fail = machine.failNth();
    fail.arm(FailNth.Kind.BUS_READ, 2);
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(device.bus.write(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(fail.fired()).isFalse();
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.COMPLETER_ABORT);
    assertThat(device.bus.read(phys, word, 0, 8)).isEqualTo(BusMaster.OK);
    assertThat(fail.fired()).isTrue();
    fail.arm(FailNth.Kind.BUS_WRITE, 1);
    assertThat(device.bus.write(phys, word, 0, 8)).isEqualTo(BusMaster.COMPLETER_ABORT);
    fail.arm(FailNth.Kind.MMIO_READ, 1);
    assertThat(slot.mmio(0).read32(0)).isEqualTo(-1);
    assertThat(slot.mmio(0).read32(0)).isZero();
    fail.arm(FailNth.Kind.MMIO_WRITE, 1);
    slot.mmio(0).write32(0, 3);
    assertThat(slot.mmio(0).read32(0)).isZero();
    int[] calls = new int[1];
    slot.interrupts().enable(1, () -> calls[0]++);
    fail.arm(FailNth.Kind.INTERRUPT, 1);
    device.signals.interrupt(1);
    machine.timers().pause();
    assertThat(calls[0]).isZero();
    fail.arm(FailNth.Kind.ALLOCATE, 1);
    assertThatThrownBy(() -> machine.memory().allocate(1, MemoryPlacement.SCATTERED))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED));
    fail.arm(FailNth.Kind.PLUG, 1);
    assertThatThrownBy(() -> machine.plug(Machines.SECOND, new TestDevice(), IDENTITY)).isInstanceOf(IllegalStateException.class);
    fail.arm(FailNth.Kind.PLUG, 1);
    fail.disarm();
    machine.plug(Machines.SECOND, new TestDevice(), IDENTITY);
    assertThat(fail.fired()).isFalse();
    assertThatThrownBy(() -> fail.arm(FailNth.Kind.PLUG, 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
