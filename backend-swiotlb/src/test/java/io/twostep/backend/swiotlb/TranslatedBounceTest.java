package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.tck.Allocation;
import io.twostep.tck.Ranges;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TranslatedBounceTest {
  private static final int NONE = DmaAttributes.NONE;
  private static final SlotOptions UNTRUSTED = SlotOptions.DEFAULT.withTrusted(false);
  private static final int GRANULE = 4096;

  private static Rig rig(SlotOptions options, SwiotlbConfig config, String... settings) {
    return new Rig(new IommuBackend(IommuConfig.defaults()), options, DeviceLimits.UNLIMITED, config, settings);
  }

  private static Rig untrusted(String format) {
    return rig(UNTRUSTED, Rig.CONFIG, "formats", format, "iotlb", "adversarial");
  }

  @ParameterizedTest
  @ValueSource(strings = {"vtd", "amd"})
  @Tag("breaks:device-used-unknown-address+device-used-unmapped")
  void anUntrustedDeviceSeesItsBytesAndZerosAroundThemAndNothingElse(String format) {
    try (Rig rig = untrusted(format)) {
      MemoryBlock block = rig.allocate(8 * GRANULE, MemoryPlacement.CONTIGUOUS);
      int lead = 100;
      int length = 3 * GRANULE + 50;
      // Slots that hold what somebody else left.
      try (DmaMapping other = rig.mapper.map(MemorySegment.ofArray(Rig.patterned(64 << 10, 99)), DmaDirection.TO_DEVICE, NONE)) {
        other.unmap();
      }
      try (DmaMapping mapping = rig.mapper.map(block.phys(GRANULE + lead), length, DmaDirection.BIDIRECTIONAL, NONE)) {
        long dma = mapping.dmaAddress();
        assertThat(dma & GRANULE - 1).isEqualTo(lead);
        assertThat(rig.slotsUsed()).as("head and tail, a granule each").isEqualTo(4);
        assertThat(rig.device.tryRead(dma, length)).isEqualTo(Rig.bytes(block.segment(), GRANULE + lead, length));
        assertThat(rig.device.tryRead(dma - lead, lead)).isEqualTo(new byte[lead]);
        int behind = GRANULE - (lead + length) % GRANULE;
        assertThat(rig.device.tryRead(dma + length, behind)).isEqualTo(new byte[behind]);
        assertThat(rig.device.tryRead(dma - lead - 1, 1)).isNull();
        assertThat(rig.device.tryRead(dma + length + behind, 1)).isNull();
        byte[] written = Rig.patterned(length, 60);
        rig.device.tryWrite(dma - lead, new byte[] {9, 9, 9});
        assertThat(rig.device.tryWrite(dma, written)).isTrue();
        mapping.unmap();
        byte[] expected = Rig.patterned(8 * GRANULE, 1);
        System.arraycopy(written, 0, expected, GRANULE + lead, length);
        assertThat(Rig.bytes(block.segment(), 0, 8 * GRANULE)).isEqualTo(expected);
      }
    }
  }

  @Test
  void whatIsAlignedIsLinkedInPlaceAndNeedsNoSync() {
    try (Rig rig = untrusted("vtd")) {
      MemoryBlock block = rig.allocate(2 * GRANULE, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 2 * GRANULE, DmaDirection.FROM_DEVICE, NONE)) {
        assertThat(mapping.needsSync()).isFalse();
        assertThat(rig.slotsUsed()).isZero();
        rig.device.tryWrite(mapping.dmaAddress() + 5, new byte[] {42});
        assertThat(Rig.bytes(block.segment(), 5, 1)[0]).isEqualTo((byte) 42);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"vtd", "amd"})
  @Tag("breaks:device-used-unmapped")
  void aStaleAccessAfterUnmapHitsNoReusedSlot(String format) {
    try (Rig rig = untrusted(format)) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      for (int i = 0; i < 200; i++) {
        long stale;
        try (DmaMapping mapping = rig.mapper.map(block.phys(100), 600, DmaDirection.BIDIRECTIONAL, NONE)) {
          stale = mapping.dmaAddress();
          assertThat(rig.device.tryWrite(stale, new byte[] {1})).isTrue();
        }
        assertThat(rig.device.tryWrite(stale, Rig.patterned(600, 66))).isFalse();
        MemorySegment reused = MemorySegment.ofArray(Rig.patterned(700, i));
        try (DmaMapping mapping = rig.mapper.map(reused, DmaDirection.TO_DEVICE, NONE)) {
          assertThat(rig.device.tryRead(mapping.dmaAddress(), 700)).isEqualTo(Rig.patterned(700, i));
        }
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void bouncedMappingsAreStrictUnderALazyTerminal() {
    TerminalBackend lazy = new IommuBackend(IommuConfig.defaults().withFlush(FlushPolicy.LAZY));
    try (Rig rig = new Rig(lazy, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, Rig.CONFIG.withForce(true), "iotlb", "adversarial")) {
      MemoryBlock block = rig.allocate(GRANULE, MemoryPlacement.CONTIGUOUS);
      for (int i = 0; i < 100; i++) {
        long stale;
        try (DmaMapping mapping = rig.mapper.map(block.phys(0), 600, DmaDirection.BIDIRECTIONAL, NONE)) {
          stale = mapping.dmaAddress();
          assertThat(rig.device.tryWrite(stale, new byte[600])).isTrue();
        }
        assertThat(rig.device.tryWrite(stale, new byte[600])).isFalse();
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void untilTheBatchCompletesTheDeviceWritesIntoItsOwnSlotsAndTheLastBytesAreCopiedOut() {
    try (Rig rig = untrusted("vtd"); InvalidationBatch batch = rig.mapper.newBatch()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      DmaMapping mapping = rig.mapper.map(block.phys(100), 600, DmaDirection.FROM_DEVICE, NONE);
      long dma = mapping.dmaAddress();
      rig.device.tryWrite(dma, Rig.patterned(600, 20));
      mapping.unmap(batch);
      mapping.close();
      assertThat(rig.slotsUsed()).isEqualTo(2);
      boolean late = rig.device.tryWrite(dma, Rig.patterned(600, 21));
      batch.complete();
      assertThat(Rig.bytes(block.segment(), 100, 600)).isEqualTo(Rig.patterned(600, late ? 21 : 20));
      assertThat(rig.device.tryWrite(dma, Rig.patterned(600, 22))).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"vtd", "amd"})
  @Tag("breaks:device-used-unlinked")
  void aReservationKeepsOneRangeAcrossBouncedAndLinkedPieces(String format) {
    try (Rig rig = untrusted(format); IovaReservation window = rig.mapper.newReservation()) {
      MemoryBlock a = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      MemoryBlock b = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      int first = 2 * GRANULE - 300;
      int second = GRANULE + 700;
      assertThat(window.tryAlloc(a.phys(300), first + second, DmaDirection.BIDIRECTIONAL, NONE)).isTrue();
      // The last range first; between them an edge on the granule.
      window.link(first, b.phys(0), second);
      window.link(0, a.phys(300), first);
      window.sync(0, first + second);
      byte[] expected = new byte[first + second];
      System.arraycopy(Rig.bytes(a.segment(), 300, first), 0, expected, 0, first);
      System.arraycopy(Rig.bytes(b.segment(), 0, second), 0, expected, first, second);
      assertThat(rig.device.tryRead(window.address(), first + second)).isEqualTo(expected);
      byte[] written = Rig.patterned(first + second, 70);
      rig.device.tryWrite(window.address(), written);
      window.sync(0, first + second);
      window.syncForCpu(10, first + second - 20);
      assertThat(Rig.bytes(a.segment(), 300, 10)).isEqualTo(Rig.bytesOf(1, 300, 10));
      assertThat(Rig.bytes(a.segment(), 310, first - 10)).isEqualTo(Arrays.copyOfRange(written, 10, first));
      assertThat(Rig.bytes(b.segment(), 0, second - 10)).isEqualTo(Arrays.copyOfRange(written, first, first + second - 10));
      window.unlink(0, GRANULE - 300);
      assertThat(rig.slotsUsed()).isEqualTo(2);
      assertThat(rig.device.tryRead(window.address(), 1)).isNull();
      assertThat(Rig.bytes(a.segment(), 300, 10)).isEqualTo(Arrays.copyOfRange(written, 0, 10));
      window.destroy();
      assertThat(Rig.bytes(b.segment(), 0, second)).isEqualTo(Arrays.copyOfRange(written, first, first + second));
      assertThat(Rig.bytes(b.segment(), second, 20)).isEqualTo(Rig.bytesOf(1, second, 20));
    }
  }

  @Test
  @Tag("breaks:unlink-splits")
  void aBouncedPieceIsNeverCut() {
    try (Rig rig = rig(SlotOptions.DEFAULT, Rig.CONFIG.withForce(true)); IovaReservation window = rig.mapper.newReservation()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      window.tryAlloc(0, 4 * GRANULE, DmaDirection.FROM_DEVICE, NONE);
      window.link(0, block.phys(0), 4 * GRANULE);
      window.sync(0, 4 * GRANULE);
      Rig.requireRefused(Reason.NOT_SPLITTABLE, () -> window.unlink(GRANULE, GRANULE));
      assertThat(rig.slotsUsed()).isEqualTo(8);
      Rig.requireRefused(Reason.UNSUPPORTED, () -> rig.mapper.newWindow(1 << 20, GRANULE, DmaDirection.TO_DEVICE, NONE));
    }
  }

  @Test
  @Tag("breaks:sync-before-publish")
  void whatWasLinkedAndNeverSyncedKeepsItsBytes() {
    try (Rig rig = rig(SlotOptions.DEFAULT, Rig.CONFIG.withForce(true));
        DmaMapping earlier = rig.mapper.newMapping();
        IovaReservation window = rig.mapper.newReservation()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      // Leaves foreign bytes in the slots that are taken next.
      earlier.map(block.phys(2 * GRANULE), GRANULE, DmaDirection.BIDIRECTIONAL, NONE).unmap();
      for (boolean unlink : new boolean[] {true, false}) {
        window.tryAlloc(0, GRANULE, DmaDirection.BIDIRECTIONAL, NONE);
        window.link(0, block.phys(0), GRANULE);
        window.syncForCpu(0, GRANULE);
        if (unlink) {
          window.unlink(0, GRANULE);
        }
        window.destroy();
        assertThat(Rig.bytes(block.segment(), 0, GRANULE)).isEqualTo(Rig.patterned(GRANULE, 1));
      }
      window.tryAlloc(0, GRANULE, DmaDirection.BIDIRECTIONAL, NONE);
      window.link(0, block.phys(0), GRANULE);
      window.sync(100, 50);
      rig.device.tryWrite(window.address() + 110, new byte[] {77});
      window.destroy();
      byte[] expected = Rig.patterned(GRANULE, 1);
      expected[110] = 77;
      assertThat(Rig.bytes(block.segment(), 0, GRANULE)).as("synced in part").isEqualTo(expected);
    }
  }

  @Test
  @Tag("breaks:sync-before-publish")
  void partsThatAreSyncedLaterLeaveAloneWhatTheDeviceWroteBeforeAndWhatTheCpuKept() {
    try (Rig rig = rig(SlotOptions.DEFAULT, Rig.CONFIG.withForce(true)); IovaReservation window = rig.mapper.newReservation()) {
      MemoryBlock block = rig.allocate(GRANULE, MemoryPlacement.CONTIGUOUS);
      byte[] expected = Rig.patterned(GRANULE, 1);
      window.tryAlloc(0, GRANULE, DmaDirection.BIDIRECTIONAL, NONE);
      window.link(0, block.phys(0), GRANULE);
      window.sync(100, 50);
      rig.device.tryWrite(window.address() + 110, new byte[] {77});
      expected[110] = 77;
      for (int at : new int[] {160, 300}) {
        block.segment().set(ValueLayout.JAVA_BYTE, at, (byte) 78);
        expected[at] = 78;
      }
      window.sync(0, 200);
      assertThat(rig.device.tryRead(window.address(), 200)).as("what the device wrote, and the CPU before it was synced").isEqualTo(Arrays.copyOf(expected, 200));
      window.syncForCpu(0, 400);
      assertThat(Rig.bytes(block.segment(), 0, GRANULE)).as("300 is the CPU's still").isEqualTo(expected);
      window.destroy();
      assertThat(Rig.bytes(block.segment(), 0, GRANULE)).isEqualTo(expected);
    }
  }

  @Test
  @Tag("breaks:link-overlaps")
  void linkingWhereSomethingIsLinkedTakesNoSlots() {
    try (Rig rig = untrusted("vtd"); IovaReservation window = rig.mapper.newReservation()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      window.tryAlloc(block.phys(100), 2 * GRANULE, DmaDirection.FROM_DEVICE, NONE);
      window.link(0, block.phys(100), 500);
      Rig.requireRefused(Reason.ALREADY_LINKED, () -> window.link(0, block.phys(100), 700));
      assertThat(rig.slotsUsed()).isEqualTo(2);
      window.sync(0, 500);
      rig.device.tryWrite(window.address(), Rig.patterned(500, 12));
      window.destroy();
      assertThat(Rig.bytes(block.segment(), 100, 500)).isEqualTo(Rig.patterned(500, 12));
    }
  }

  @Test
  void sparseWindowsOfWholeGranulesServeUntrustedDevicesInPlace() {
    try (Rig rig = untrusted("vtd"); SparseWindow window = rig.mapper.newWindow(1 << 20, GRANULE, DmaDirection.TO_DEVICE, NONE)) {
      MemoryBlock block = rig.allocate(GRANULE, MemoryPlacement.CONTIGUOUS);
      long dma = window.link(8 * GRANULE, block.phys(0), GRANULE, DmaDirection.TO_DEVICE);
      assertThat(rig.device.tryRead(dma, GRANULE)).isEqualTo(Rig.patterned(GRANULE, 1));
      assertThat(rig.slotsUsed()).isZero();
    }
  }

  @Test
  void edgesThatMayNotBeBouncedAreRefused() {
    try (Rig rig = untrusted("vtd")) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      Rig.requireRefused(
          Reason.BOUNCE_FORBIDDEN, () -> rig.mapper.map(block.phys(1), 9000, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT));
      // Only the edge of the last range is not the device's.
      Ranges request = new Ranges().add(block.phys(2 * GRANULE), 2 * GRANULE).add(block.phys(0), GRANULE + 7);
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        assertThatThrownBy(() -> transfer.map(request, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT, (address, length, kind) -> true))
            .hasMessageStartingWith("0000:01:00.0: cannot bounce 0x%x+0x1007: ".formatted(block.phys(0)));
      }
    }
  }

  @Test
  void whereWriteOnlyCannotBeEnforcedAnUntrustedDeviceIsShownZeros() {
    TerminalBackend iommu = new IommuBackend(IommuConfig.defaults());
    try (Rig rig = new Rig(new ReadableWrites(iommu), UNTRUSTED, DeviceLimits.UNLIMITED, Rig.CONFIG)) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 2 * GRANULE, DmaDirection.FROM_DEVICE, NONE)) {
        assertThat(rig.slotsUsed()).isEqualTo(4);
        rig.device.tryWrite(mapping.dmaAddress() + 10, new byte[] {7});
        mapping.unmap();
      }
      byte[] expected = Rig.patterned(4 * GRANULE, 1);
      Arrays.fill(expected, 0, 2 * GRANULE, (byte) 0);
      expected[10] = 7;
      assertThat(Rig.bytes(block.segment(), 0, 4 * GRANULE)).isEqualTo(expected);
      assertThat(rig.layer.statistics().bytesIn()).isZero();
    }
  }

  @Test
  void aFailedCallLeavesNoSlotBehind() {
    SwiotlbConfig tight = new SwiotlbConfig(128 << 10, 128 << 10, 1, false, 0, true);
    try (Rig rig = rig(UNTRUSTED, tight)) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping most = rig.mapper.map(MemorySegment.ofArray(new byte[31 * GRANULE]), DmaDirection.TO_DEVICE, NONE)) {
        // Room for the head and none for the tail.
        assertThatThrownBy(() -> rig.mapper.map(block.phys(100), 2 * GRANULE, DmaDirection.TO_DEVICE, NONE))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.BOUNCE_EXHAUSTED));
        assertThat(rig.slotsUsed()).isEqualTo(62);
        assertThat(most.length()).isEqualTo(31 * GRANULE);
      }
    }
  }

  @Test
  @Tag("unchecked")
  void warmSplitMappingsMakeNoGarbage() {
    try (Rig rig = rig(UNTRUSTED, Rig.CONFIG); DmaMapping mapping = rig.mapper.newMapping()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      long phys = block.phys(100);
      Runnable work =
          () -> {
            mapping.map(phys, 2 * GRANULE, DmaDirection.BIDIRECTIONAL, NONE);
            mapping.syncForCpu(50, 200);
            mapping.unmap();
          };
      assertThat(Allocation.leastBytesOf(work)).isZero();
    }
  }

  /** A terminal whose format cannot say write-only. */
  private record ReadableWrites(TerminalBackend real) implements TerminalBackend {
    @Override
    public String name() {
      return real.name();
    }

    @Override
    public DmaOps attach(AttachContext context) {
      DmaOps ops = real.attach(context);
      return (DmaOps)
          Proxy.newProxyInstance(
              DmaOps.class.getClassLoader(),
              new Class<?>[] {DmaOps.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("enforcesWriteOnly")) {
                  return false;
                }
                try {
                  return method.invoke(ops, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }

    @Override
    public void close() {
      real.close();
    }
  }
}
