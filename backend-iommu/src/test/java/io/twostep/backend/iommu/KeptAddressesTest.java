package io.twostep.backend.iommu;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Handles that map again and again keep their I/O addresses, which nobody ever misses. */
class KeptAddressesTest {
  private static final long PAGE = 4096;

  /** Address bits of a device that has room for 15 pages, since nothing is mapped at 0. */
  private static final int NARROW = 16;

  private static final int ROOM = 15;

  private final Rig rig = new Rig("iotlb", "normal");
  private final ProbeDevice device = new ProbeDevice();
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
  private final MemoryBlock block = rig.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private final DmaMapper mapper = rig.attach(backend, rig.plug(device, SlotOptions.DEFAULT), DeviceLimits.ofBits(NARROW));

  @AfterEach
  void everythingIsGivenBack() {
    mapper.close();
    assertThat(backend.statistics().leaks()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
    assertThat(backend.statistics().tableBytes()).isZero();
    rig.close();
  }

  @Test
  void aHandleThatMapsAgainGetsTheSameAddressWhateverOthersDo() {
    try (IovaReservation window = mapper.newReservation(); DmaMapping other = mapper.newMapping()) {
      for (int i = 0; i < 2; i++) {
        link(window);
        window.destroy();
      }
      assertThat(backend.statistics().liveRanges()).as("idle").isZero();
      other.map(phys, PAGE, TO_DEVICE, NONE);
      long address = link(window);
      assertThat(address).isNotEqualTo(other.dmaAddress());
      other.unmap();
      window.destroy();
      other.map(phys, PAGE, TO_DEVICE, NONE);
      assertThat(link(window)).isEqualTo(address);
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void theDeviceDoesNotReachAnAddressThatIsKept() {
    try (IovaReservation window = mapper.newReservation()) {
      for (int i = 0; i < 4; i++) {
        long address = link(window);
        device.read(address, 16);
        window.destroy();
        device.requireRefused(address, "the window is destroyed");
      }
    }
  }

  @Test
  void whatIdleHandlesKeepIsThereForWhoNeedsIt() {
    List<DmaMapping> idle = new ArrayList<>();
    for (int i = 0; i < ROOM; i++) {
      idle.add(mapper.newMapping());
    }
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < ROOM; i++) {
        idle.get(i).map(phys + i * PAGE, PAGE, TO_DEVICE, NONE);
      }
      assertThat(refusal(mapper).reason()).isEqualTo(Reason.IOVA_EXHAUSTED);
      idle.forEach(DmaMapping::unmap);
      try (DmaMapping large = mapper.map(phys, 8 * PAGE, TO_DEVICE, NONE)) {
        device.read(large.dmaAddress() + 7 * PAGE, 16);
      }
    }
    idle.forEach(DmaMapping::close);
  }

  @Test
  void handlesThatComeAndGoUseUpNothing() {
    for (int i = 0; i < 100 * ROOM; i++) {
      try (InvalidationBatch batch = mapper.newBatch(); DmaMapping mapping = mapper.newMapping()) {
        for (int times = 0; times < 4; times++) {
          mapping.map(phys, PAGE, TO_DEVICE, NONE);
          mapping.unmap();
        }
        mapping.map(phys, PAGE, TO_DEVICE, NONE);
        // The handle is closed before the batch completes.
        mapping.unmap(batch);
      }
    }
    try (DmaMapping large = mapper.map(phys, 8 * PAGE, TO_DEVICE, NONE)) {
      device.read(large.dmaAddress(), 16);
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void aBatchKeepsTheAddressFromItsHandleUntilItCompletes() {
    try (DmaMapping mapping = mapper.newMapping(); InvalidationBatch batch = mapper.newBatch()) {
      for (int round = 0; round < 4; round++) {
        mapping.map(phys, PAGE, TO_DEVICE, NONE);
        long waiting = mapping.dmaAddress();
        mapping.unmap(batch);
        mapping.map(phys + PAGE, PAGE, TO_DEVICE, NONE);
        assertThat(mapping.dmaAddress()).as("round %d", round).isNotEqualTo(waiting);
        mapping.unmap(batch);
        batch.complete();
        device.requireRefused(waiting, "the batch is complete");
      }
      assertThat(backend.statistics().liveRanges()).isZero();
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void anAddressThatWasNotProvedFreeComesBackAfterTheResetAndNotBefore() {
    try (DmaMapping mapping = mapper.newMapping()) {
      for (int i = 0; i < 3; i++) {
        mapping.map(phys, PAGE, TO_DEVICE, NONE);
        device.tryRead(mapping.dmaAddress(), 1);
        if (i < 2) {
          mapping.unmap();
        }
      }
      long stale = mapping.dmaAddress();
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThat(catchThrowableOfType(DmaMappingException.class, mapping::unmap).reason()).isEqualTo(Reason.QUARANTINED);
      for (int i = 0; i < 3; i++) {
        mapping.map(phys + PAGE, PAGE, TO_DEVICE, NONE);
        assertThat(mapping.dmaAddress()).as("while the device may use it").isNotEqualTo(stale);
        mapping.unmap();
      }
      assertThat(mapper.releaseQuarantined()).isZero();
      device.requireRefused(stale, "released");
    }
    try (DmaMapping large = mapper.map(phys, 8 * PAGE, TO_DEVICE, NONE)) {
      device.read(large.dmaAddress(), 16);
    }
  }

  @Test
  void aStateThatIsForgottenKeepsNothing() {
    TableOps ops = (TableOps) backend.attach(rig.context(rig.plug(new ProbeDevice(), SlotOptions.DEFAULT), DeviceLimits.UNLIMITED));
    MappingState state = new MappingState(0);
    for (int i = 0; i < 2; i++) {
      // Only what the state keeps is cached below.
      ops.allocator.drainCaches();
      Retirement retirement = new Retirement();
      ops.reserve(state, 0, 3 * PAGE, 0, -1L, 0);
      ops.release(state, retirement);
      retirement.complete();
      state.reset();
    }
    assertThat(ops.allocator.statistics().cachedRanges()).as("kept").isOne();
    ops.forget(state);
    assertThat(ops.allocator.statistics().cachedRanges()).as("forgotten").isZero();
    ops.close();
  }

  private long link(IovaReservation window) {
    assertThat(window.tryAlloc(phys, PAGE, TO_DEVICE, NONE)).isTrue();
    window.link(0, phys, PAGE);
    window.sync(0, PAGE);
    return window.address();
  }

  private static DmaMappingException refusal(DmaMapper mapper) {
    try (IovaReservation window = mapper.newReservation()) {
      return catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, PAGE, TO_DEVICE, NONE));
    }
  }
}
