package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ProbeDevice;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Little memory for page tables, and a request that wants more: it is refused, and what it was given goes to the next. */
class TableMemoryLimitTest {
  private static final long PAGES = 8;
  private static final long TOO_MUCH = 64 << 20;

  private final Rig rig = new Rig("iotlb", "normal");
  private final ProbeDevice device = new ProbeDevice();
  private final DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT);
  private final MemoryBlock block = rig.memory().allocate(TOO_MUCH + 4096, MemoryPlacement.CONTIGUOUS);

  /** Off the boundaries of large leaves, so that every 2 MiB take a table. */
  private final long phys = (block.phys(0) & 0x1fffff) == 0 ? block.phys(0) + 4096 : block.phys(0);

  private IommuBackend backend = backend(FlushPolicy.STRICT);
  private DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);

  private static IommuBackend backend(FlushPolicy flush) {
    return new IommuBackend(IommuConfig.defaults().withTableMemory(PAGES * 4096).withFlush(flush));
  }

  @AfterEach
  void everythingIsGivenBack() {
    assertThat(mapper.liveMappings()).isZero();
    mapper.close();
    Rig.requireGivenBack(backend);
    backend.close();
    block.close();
    rig.close();
  }

  private static Reason reasonOf(ThrowingCallable call) {
    DmaMappingException e = catchThrowableOfType(DmaMappingException.class, call);
    assertThat(e).isNotNull().hasMessageContaining("0000:01:00.0");
    return e.reason();
  }

  private void aSmallMappingWorks() {
    try (DmaMapping small = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      assertThat(device.tryRead(small.dmaAddress(), 1)).isNotNull();
    }
  }

  @Test
  void refusedMappingLeavesNoTablesBehind() {
    assertThat(reasonOf(() -> mapper.map(phys, TOO_MUCH, DmaDirection.BIDIRECTIONAL, 0))).isEqualTo(Reason.TABLE_MEMORY);

    aSmallMappingWorks();
  }

  @Test
  void refusedReservationWithTablesAheadLeavesNoTablesBehind() {
    try (IovaReservation window = mapper.newReservation()) {
      assertThat(reasonOf(() -> window.tryAlloc(0, TOO_MUCH, 0, -1L, DmaDirection.BIDIRECTIONAL, 0, true))).isEqualTo(Reason.TABLE_MEMORY);

      aSmallMappingWorks();
    }
  }

  @Test
  void tablesAheadThatCouldNotBeInvalidatedComeBackWhenTheyCan() {
    try (IovaReservation window = mapper.newReservation()) {
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThat(reasonOf(() -> window.tryAlloc(0, TOO_MUCH, 0, -1L, DmaDirection.BIDIRECTIONAL, 0, true))).isEqualTo(Reason.TABLE_MEMORY);
      assertThat(rig.machine.failNth().fired()).isTrue();
      assertThat(backend.statistics().liveRanges()).isOne();

      mapper.awaitQuiescence();
      assertThat(backend.statistics().liveRanges()).isZero();
      aSmallMappingWorks();
    }
  }

  @Test
  void reservationWhoseOnlyLinkWasRefusedLeavesNoTablesBehind() {
    try (IovaReservation window = mapper.newReservation()) {
      window.tryAlloc(phys, TOO_MUCH, DmaDirection.BIDIRECTIONAL, 0);
      assertThat(reasonOf(() -> window.link(0, phys, TOO_MUCH))).isEqualTo(Reason.TABLE_MEMORY);
    }

    aSmallMappingWorks();
  }

  @Test
  void mappingWhoseTablesWaitForAFlushThatFailsIsRefusedAndLeavesNothing() {
    mapper.close();
    backend.close();
    backend = backend(FlushPolicy.LAZY);
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0).close();
    rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);

    assertThat(reasonOf(() -> mapper.map(phys, TOO_MUCH, DmaDirection.BIDIRECTIONAL, 0))).isEqualTo(Reason.TABLE_MEMORY);

    assertThat(rig.machine.failNth().fired()).isTrue();
    mapper.awaitQuiescence();
    assertThat(backend.statistics().liveRanges()).isZero();
    aSmallMappingWorks();
  }
}
