package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.TableFormat;
import io.twostep.tck.ForwardingIommu;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class IommuBackendTest {
  private static final int BOTH = MapFlags.ACCESS;

  private final Rig rig = new Rig();
  private final ProbeDevice device = new ProbeDevice();
  private final MemoryBlock block = rig.memory().allocate(8 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);

  @AfterEach
  void closeMachine() {
    rig.close();
  }

  private static Reason reasonOf(ThrowingCallable call) {
    DmaMappingException e = catchThrowableOfType(DmaMappingException.class, call);
    assertThat(e).isNotNull().hasMessageContaining("0000:01:00.0");
    return e.reason();
  }

  @ParameterizedTest
  @EnumSource(names = {"IDENTITY", "NONE", "BLOCKED"})
  void spacesThatDoNotTranslateAreRefusedAtAttach(Translation translation) {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withTranslation(translation));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());

    assertThat(reasonOf(() -> rig.attach(backend, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.UNSUPPORTED);
    backend.close();
  }

  @Test
  void aClosedBackendServesNobodyAndOneThatCouldNotBeClosedGoesOn() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    assertThatThrownBy(backend::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("still serves");
    mapper.close();
    rig.attach(backend, slot, DeviceLimits.UNLIMITED).close();
    backend.close();
    backend.close();
    assertThatThrownBy(() -> rig.attach(backend, slot, DeviceLimits.UNLIMITED))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("0000:01:00.0: backend iommu is closed; make a new one");
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  void formatAndGranuleThatTheHardwareLacksAreRefusedAtAttach() {
    Rig vtdOnly = new Rig("formats", "vtd", "smallest-page", "2M");
    DeviceSlot slot = vtdOnly.plug(device, SlotOptions.DEFAULT);
    long before = vtdOnly.machine.stats().framesInUse();
    IommuBackend amd = new IommuBackend(IommuConfig.defaults().withFormat("amd-v1"));
    IommuBackend small = new IommuBackend(IommuConfig.defaults().withGranule(4096));

    assertThat(reasonOf(() -> vtdOnly.attach(amd, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.UNSUPPORTED);
    assertThat(reasonOf(() -> vtdOnly.attach(small, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.UNSUPPORTED);
    amd.close();
    small.close();
    assertThat(vtdOnly.machine.stats().framesInUse()).isEqualTo(before);
    vtdOnly.close();
  }

  @Test
  void attachWhoseRootTheHardwareRefusesLeavesNothing() {
    AtomicBoolean refuses = new AtomicBoolean(true);
    Rig refusing =
        new Rig(
            real ->
                new ForwardingIommu(real) {
                  @Override
                  public void setRoot(TableFormat format, long rootPhys, int levels) {
                    if (refuses.get()) {
                      throw new DmaMappingException(Reason.BACKEND, "0000:01:00.0: the root is not taken");
                    }
                    real.setRoot(format, rootPhys, levels);
                  }
                });
    DeviceSlot slot = refusing.plug(device, SlotOptions.DEFAULT);
    long before = refusing.machine.stats().framesInUse();
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFlush(FlushPolicy.LAZY));

    assertThat(reasonOf(() -> refusing.attach(backend, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.BACKEND);
    assertThat(refusing.machine.stats().framesInUse()).isEqualTo(before);
    refuses.set(false);
    refusing.attach(backend, slot, DeviceLimits.UNLIMITED).close();
    assertThat(refusing.machine.stats().framesInUse()).isEqualTo(before);
    backend.close();
    refusing.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {1L << 40, 1L << 48, 1L << 62})
  void granuleThatTheAddressesHaveNoRoomForIsRefusedAtAttach(long granule) {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(40));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withGranule(granule));

    assertThat(reasonOf(() -> rig.attach(backend, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.UNSUPPORTED);
    backend.close();
  }

  @Test
  void formatCanBeChosen() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    for (String format : new String[] {"auto", "vtd-second-stage", "amd-v1"}) {
      IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFormat(format));
      try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
          DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0)) {
        assertThat(device.tryRead(mapping.dmaAddress(), 16)).isNotNull();
      }
      backend.close();
    }
  }

  @Test
  void devicesOfOneGroupShareAddressesAndTranslations() {
    SlotOptions group = SlotOptions.DEFAULT.withGroup("7");
    ProbeDevice other = new ProbeDevice();
    DeviceSlot slot = rig.plug(device, group);
    DeviceSlot otherSlot = rig.plug(other, group);
    ProbeDevice apart = new ProbeDevice();
    DeviceSlot apartSlot = rig.plug(apart, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    DmaMapper first = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    DmaMapper second = rig.attach(backend, otherSlot, DeviceLimits.UNLIMITED);
    DmaMapper third = rig.attach(backend, apartSlot, DeviceLimits.UNLIMITED);

    DmaMapping a = first.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    DmaMapping b = second.map(phys + 4096, 4096, DmaDirection.BIDIRECTIONAL, 0);
    DmaMapping c = third.map(phys + 8192, 4096, DmaDirection.BIDIRECTIONAL, 0);

    assertThat(a.dmaAddress()).isNotEqualTo(b.dmaAddress());
    assertThat(c.dmaAddress()).isEqualTo(a.dmaAddress());
    assertThat(other.tryRead(a.dmaAddress(), 8)).isEqualTo(device.tryRead(a.dmaAddress(), 8));
    assertThat(backend.statistics().addressSpaces()).isEqualTo(2);
    a.close();
    first.close();
    assertThat(other.tryRead(b.dmaAddress(), 8)).isNotNull();
    assertThatThrownBy(backend::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("group");
    b.close();
    second.close();
    c.close();
    third.close();
    assertThat(backend.statistics()).isEqualTo(IommuStatistics.NONE);
    backend.close();
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void oneUntrustedMemberMakesTheGroupStrict() {
    SlotOptions group = SlotOptions.DEFAULT.withGroup("7");
    DeviceSlot slot = rig.plug(device, group);
    rig.plug(new ProbeDevice(), group.withTrusted(false));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFlush(FlushPolicy.LAZY));
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
      long address = mapping.dmaAddress();
      mapping.close();

      assertThat(device.tryRead(address, 1)).isNull();
      assertThat(backend.statistics().deferredRanges()).isZero();
      assertThat(reasonOf(() -> mapper.map(phys + 1, 100, DmaDirection.TO_DEVICE, 0))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
    }
  }

  @Test
  void untrustedDevicesGetWholeGranulesOnly() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withTrusted(false));
    DmaOps ops = new IommuBackend(IommuConfig.defaults()).attach(rig.context(slot, DeviceLimits.UNLIMITED));
    MappingState state = new MappingState(0);
    Retirement undo = new Retirement();

    assertThat(reasonOf(() -> ops.map(state, phys + 8, 4096, BOTH, undo))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
    assertThat(reasonOf(() -> ops.map(state, phys, 4095, BOTH, undo))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
    assertThat(ops.reaches(phys, 4095)).isFalse();
    assertThat(ops.reaches(phys, 4096)).isTrue();
    ops.reserve(state, 0, 1 << 16, 0, -1L, BOTH);
    assertThat(reasonOf(() -> ops.link(state, 0, phys, 100, BOTH, undo))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
    long[] run = {phys, phys + 4096};
    long[] lengths = {4096, 100};
    assertThat(reasonOf(() -> ops.linkRun(state, 0, run, lengths, 0, 2, BOTH, undo))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
    assertThat(ops.physOf(state, 0)).isEqualTo(DmaOps.ABSENT);
    ops.linkRun(state, 0, run, lengths, 0, 2, BOTH | MapFlags.OWNED, undo);
    assertThat(ops.physOf(state, 4096 + 99)).isEqualTo(phys + 4096 + 99);
    ops.release(state, undo);
    undo.complete();
    ops.close();
  }

  @Test
  void granulesLargerThanFramesStayWithinOnePieceOfMemory() {
    MemoryBlock odd = rig.memory().allocate(3 * 4096, MemoryPlacement.CONTIGUOUS);
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withGranule(1 << 16));
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      mapper.map(phys + 4096, 100, DmaDirection.TO_DEVICE, 0).close();
      assertThat(reasonOf(() -> mapper.map(odd.phys(0), 4096, DmaDirection.TO_DEVICE, 0))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
      assertThat(mapper.limits().granule()).isEqualTo(1 << 16);
    }
    assertThat(backend.statistics().leaks()).isZero();
  }

  @Test
  void reservedRangesAndAddressZeroAreNeverHandedOut() {
    rig.reserved.add(new AddressRange(0xfee0_0000L, 0xfeef_ffffL, "interrupts"));
    rig.reserved.add(new AddressRange(0x1_0000_0000L, 0x1_0000_0000L - 1 + (1L << 31), "host bridge"));
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(33));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withTableMemory(64 << 20));
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      List<IovaReservation> all = new ArrayList<>();
      DmaMappingException exhausted = null;
      for (long size = 1L << 31; size >= 4096; size >>= 1) {
        exhausted = null;
        while (exhausted == null) {
          IovaReservation window = mapper.newReservation();
          try {
            window.tryAlloc(0, size, DmaDirection.TO_DEVICE, 0);
            all.add(window);
            assertThat(window.address()).isNotZero();
            for (AddressRange range : rig.reserved) {
              assertThat(range.overlaps(window.address(), window.address() + size - 1)).isFalse();
            }
          } catch (DmaMappingException e) {
            exhausted = e;
            window.close();
          }
        }
        assertThat(exhausted.reason()).isEqualTo(Reason.IOVA_EXHAUSTED);
        assertThat(exhausted.isRetryable()).isTrue();
      }
      long total = all.stream().mapToLong(IovaReservation::length).sum();
      long reserved = rig.addressSpaceFor(slot).reserved().stream().mapToLong(range -> range.last() - range.first() + 1).sum();
      assertThat(total).isBetween((1L << 33) - reserved - (1 << 20) - 4096, (1L << 33) - 4096);
      all.forEach(IovaReservation::close);
    }
  }

  @Test
  void eachDeviceIsGivenAddressesBelowItsOwnLimits() {
    SlotOptions group = SlotOptions.DEFAULT.withGroup("7");
    DeviceSlot narrowSlot = rig.plug(device, group);
    DeviceSlot wideSlot = rig.plug(new ProbeDevice(), group);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withIova32BitFirst(false));
    DeviceLimits narrow = DeviceLimits.ofBits(36).withHighestCoherentAddress((1L << 31) - 1);
    try (DmaMapper first = rig.attach(backend, narrowSlot, narrow);
        DmaMapper second = rig.attach(backend, wideSlot, DeviceLimits.UNLIMITED);
        DmaMapping low = first.map(phys, 4096, DmaDirection.TO_DEVICE, 0);
        DmaMapping high = second.map(phys, 4096, DmaDirection.TO_DEVICE, 0);
        DmaBuffer coherent = first.allocateCoherent(5000)) {
      assertThat(low.dmaAddress()).isBetween(1L << 35, (1L << 36) - 4096);
      assertThat(high.dmaAddress()).isBetween(1L << 47, (1L << 48) - 4096);
      assertThat(coherent.dmaAddress()).isLessThan(1L << 31);
    }
  }

  @Test
  void addressesAbove4GiBComeLastWhereThatIsThePolicy() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      IovaReservation big = mapper.newReservation();
      big.tryAlloc(0, 1L << 30, DmaDirection.TO_DEVICE, 0);
      IovaReservation bigger = mapper.newReservation();
      bigger.tryAlloc(0, 1L << 32, DmaDirection.TO_DEVICE, 0);

      assertThat(big.address()).isBetween(1L << 30, 3L << 30);
      assertThat(bigger.address()).isGreaterThanOrEqualTo(1L << 32);
      big.close();
      bigger.close();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 0xfff, 0xffff, 0x1f_ffff})
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address+device-used-unmapped")
  void lowBitsAreKeptUpToTheMinimumAlignment(long minAlignMask) {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    DeviceLimits limits = DeviceLimits.UNLIMITED.withMinAlignMask(minAlignMask);
    try (DmaMapper mapper = rig.attach(backend, slot, limits)) {
      for (long offset : new long[] {0, 1, 0x1000, 0x1234, 0xfff0, 0x12345, 0x3f_fff1}) {
        try (DmaMapping mapping = mapper.map(phys + offset, 0x3001, DmaDirection.BIDIRECTIONAL, 0)) {
          long mask = Math.max(0xfff, minAlignMask);
          assertThat(mapping.dmaAddress() & mask).isEqualTo(phys + offset & mask);
          assertThat(device.tryRead(mapping.dmaAddress() + 0x3000, 1)).isNotNull();
          assertThat(device.tryRead((mapping.dmaAddress() & -4096) - 1, 1)).isNull();
          assertThat(device.tryRead((mapping.dmaAddress() + 0x3000 | 0xfff) + 1, 1)).isNull();
        }
        IovaReservation window = mapper.newReservation();
        window.tryAlloc(phys + offset, 0x3001, DmaDirection.BIDIRECTIONAL, 0);
        assertThat(window.link(0, phys + offset, 0x3001)).isEqualTo(window.address());
        window.close();
      }
    }
    assertThat(backend.statistics().leaks()).isZero();
  }

  @Test
  @Tag("breaks:overlapping-write")
  void memoryForTablesHasALimitThatIsAReason() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withTableMemory(5 * 4096));
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      IovaReservation window = mapper.newReservation();
      assertThat(reasonOf(() -> window.tryAlloc(0, 64 << 20, 0, -1L, DmaDirection.BIDIRECTIONAL, 0, true)))
          .isEqualTo(Reason.TABLE_MEMORY);
      window.tryAlloc(0, 64 << 20, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4096);
      assertThat(reasonOf(() -> {
            for (long at = 2 << 20; at < 64 << 20; at += 2 << 20) {
              window.link(at, phys, 4096);
            }
          }))
          .isEqualTo(Reason.TABLE_MEMORY);
      window.sync(0, 4096);
      assertThat(device.tryRead(window.address(), 1)).isNotNull();
      window.destroy();
      window.tryAlloc(0, 2 << 20, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4096);
      window.close();
    }
    assertThat(reasonOf(() -> rig.attach(new IommuBackend(IommuConfig.defaults().withTableMemory(1)), slot, DeviceLimits.UNLIMITED)))
        .isEqualTo(Reason.TABLE_MEMORY);
  }

  @Test
  @Tag("breaks:overlapping-write")
  void linkingCannotFailForMemoryOnceTablesWereSetAside() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults().withTableMemory(12 * 4096));
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      IovaReservation ahead = mapper.newReservation();
      ahead.tryAlloc(0, 8 << 20, 0, -1L, DmaDirection.BIDIRECTIONAL, 0, true);
      IovaReservation greedy = mapper.newReservation();
      greedy.tryAlloc(0, 256 << 20, DmaDirection.BIDIRECTIONAL, 0);
      assertThat(reasonOf(() -> {
            for (long at = 0; at < 256 << 20; at += 2 << 20) {
              greedy.link(at, phys, 4096);
            }
          }))
          .isEqualTo(Reason.TABLE_MEMORY);

      ahead.link(0, phys, 2 << 20);
      for (long at = 2 << 20; at < 8 << 20; at += 4096) {
        ahead.link(at, phys + at % (8 << 20), 4096);
      }
      ahead.sync(0, 8 << 20);
      assertThat(device.tryRead(ahead.address() + (8 << 20) - 1, 1)).isNotNull();
      greedy.close();
      ahead.close();
    }
    assertThat(backend.statistics().leaks()).isZero();
  }

  @Test
  @Tag("breaks:device-used-unlinked+link-overlaps+unlink-of-hole+unlink-splits")
  void unlinkRefusesHolesAndLargeLeavesBeforeAnythingChanges() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      IovaReservation window = mapper.newReservation();
      window.tryAlloc(0, 8 << 20, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4 << 20);
      window.sync(0, 4 << 20);
      long invalidations = rig.machine.stats().invalidations();

      assertThat(reasonOf(() -> window.unlink(4096, 4096))).isEqualTo(Reason.NOT_SPLITTABLE);
      assertThat(reasonOf(() -> window.unlink(0, 6 << 20))).isEqualTo(Reason.NOT_LINKED);
      assertThat(reasonOf(() -> window.link(4096, phys, 4096))).isEqualTo(Reason.ALREADY_LINKED);
      assertThat(rig.machine.stats().invalidations()).isEqualTo(invalidations);
      assertThat(device.tryRead(window.address() + 4096, 1)).isNotNull();
      window.unlink(2 << 20, 2 << 20);
      assertThat(device.tryRead(window.address() + (2 << 20), 1)).isNull();
      assertThat(device.tryRead(window.address() + (2 << 20) - 1, 1)).isNotNull();
      window.close();
    }
  }

  @Test
  @Tag("breaks:device-used-unsynced+overlapping-write")
  void nothingIsReachableBeforeSync() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    try (DmaMapper mapper = rig.attach(new IommuBackend(IommuConfig.defaults()), slot, DeviceLimits.UNLIMITED)) {
      IovaReservation window = mapper.newReservation();
      window.tryAlloc(0, 8192, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4096);
      window.link(4096, phys, 4096);
      window.sync(0, 4096);
      assertThat(device.tryRead(window.address(), 1)).isNotNull();
      assertThat(device.tryRead(window.address() + 4096, 1)).isNull();
      window.close();
    }
  }

  @Test
  void windowThatNothingWasLinkedInNeedsNoInvalidation() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      long before = rig.machine.stats().invalidations();
      IovaReservation window = mapper.newReservation();
      window.tryAlloc(0, 8192, DmaDirection.BIDIRECTIONAL, 0);
      window.free();
      assertThat(rig.machine.stats().invalidations()).isEqualTo(before);
      window.tryAlloc(0, 8192, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4096);
      window.unlink(0, 4096);
      window.close();
      assertThat(backend.statistics().liveRanges()).isZero();
    }
  }

  @Test
  @Tag("breaks:device-used-unlinked")
  void largeRangesTakeLargeLeavesAndWindowsNoneAboveTheirUnit() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      try (DmaMapping mapping = mapper.map(phys, 8 << 20, DmaDirection.BIDIRECTIONAL, 0)) {
        assertThat(mapping.dmaAddress() & (8 << 20) - 1).isZero();
        assertThat(backend.statistics().tableBytes()).isEqualTo(3 * 4096);
      }
      try (var window = mapper.newWindow(8 << 20, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
        window.link(0, phys, 8 << 20, DmaDirection.BIDIRECTIONAL);
        window.unlink(4096, 4096);
        assertThat(device.tryRead(window.address() + 4096, 1)).isNull();
        assertThat(device.tryRead(window.address() + 8192, 1)).isNotNull();
      }
    }
  }

  @Test
  void closedWindowsOfAnySizeAreFoundAndGivenBack() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      var window = mapper.newWindow(1L << 40, 8192, DmaDirection.BIDIRECTIONAL, 0);
      for (long offset : new long[] {0, 8192, 1L << 30, (1L << 40) - 8192}) {
        window.link(offset, phys, 8192, DmaDirection.BIDIRECTIONAL);
      }
      window.close();
      assertThat(backend.statistics().liveRanges()).isZero();
    }
    block.close();
  }

  @Test
  void limitBelowTheFirstGranuleIsNotWorthWaitingFor() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(39));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.ofBits(32));
        IovaReservation window = mapper.newReservation()) {
      for (long highest : new long[] {0x7ff, 0xffe, 0xfff, 0x1ffe}) {
        DmaMappingException e =
            catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, 0x800, 1, highest, DmaDirection.TO_DEVICE, 0, false));
        assertThat(e.reason()).as("%x", highest).isEqualTo(Reason.OUT_OF_BOUNDS);
      }
    }
    backend.close();
  }

  @Test
  void lengthThatNoAddressSpaceHoldsIsNotWorthWaitingFor() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(39));
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.ofBits(32));
        IovaReservation window = mapper.newReservation()) {
      for (long length : new long[] {1L << 32, (1L << 32) - 4095, 1L << 40, Long.MAX_VALUE}) {
        DmaMappingException e = catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, length, DmaDirection.TO_DEVICE, 0));
        assertThat(e.reason()).as("%x", length).isEqualTo(Reason.OUT_OF_BOUNDS);
        assertThat(e.isRetryable()).isFalse();
      }
      window.tryAlloc(0, 1L << 30, DmaDirection.TO_DEVICE, 0);
    }
    backend.close();
  }

  @Test
  void addressSpaceHasOneOwner() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend first = new IommuBackend(IommuConfig.defaults());
    IommuBackend second = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(first, slot, DeviceLimits.UNLIMITED)) {
      assertThat(reasonOf(() -> rig.attach(second, slot, DeviceLimits.UNLIMITED))).isEqualTo(Reason.UNSUPPORTED);
      assertThat(reasonOf(() -> DmaStack.of(second).attach(rig.machine, slot, DeviceLimits.UNLIMITED))).as("seen through another machine").isEqualTo(Reason.UNSUPPORTED);
      assertThat(reasonOf(() -> mapper.restack(DmaStack.of(second)))).isEqualTo(Reason.UNSUPPORTED);
      rig.attach(first, slot, DeviceLimits.UNLIMITED).close();
    }
    rig.attach(second, slot, DeviceLimits.UNLIMITED).close();
    first.close();
    second.close();
  }

  @Test
  void foreignSegmentWithoutABounceLayerNamesTheDevice() {
    DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
    IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
      assertThat(reasonOf(() -> mapper.map(MemorySegment.ofArray(new byte[8]), DmaDirection.TO_DEVICE, 0)))
          .isEqualTo(Reason.NOT_BACKED);
    }
    backend.close();
  }
}
