package io.twostep.backend.iommu;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.backend.iommu.iova.KeptRange;
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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Handles that map again and again keep their I/O addresses, which nobody ever misses. */
class KeptAddressesTest {
  private static final long PAGE = 4096;

  /** Address bits of a device that has room for 15 pages, since nothing is mapped at 0. */
  private static final int NARROW = 16;

  private static final int ROOM = 15;

  /** Requests after which a handle keeps what it gives back. */
  private static final int SETTLING = TableState.SETTLED + 1;

  private final Rig rig = new Rig("iotlb", "normal");
  private final ProbeDevice device = new ProbeDevice();
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
  private final MemoryBlock block = rig.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private final DmaMapper mapper = rig.attach(backend, rig.plug(device, SlotOptions.DEFAULT), DeviceLimits.ofBits(NARROW));

  @AfterEach
  void everythingIsGivenBack() {
    mapper.close();
    Rig.requireGivenBack(backend);
    rig.close();
  }

  @Test
  void aHandleThatMapsAgainGetsTheSameAddressWhateverOthersDo() {
    try (IovaReservation window = mapper.newReservation(); DmaMapping other = mapper.newMapping()) {
      for (int i = 0; i < SETTLING; i++) {
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
      for (int i = 0; i < SETTLING + 2; i++) {
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
    for (int round = 0; round < SETTLING + 2; round++) {
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
        for (int times = 0; times < SETTLING + 2; times++) {
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
      for (int round = 0; round < SETTLING; round++) {
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
      for (int i = 0; i < SETTLING; i++) {
        mapping.map(phys, PAGE, TO_DEVICE, NONE);
        mapping.unmap();
      }
      mapping.map(phys, PAGE, TO_DEVICE, NONE);
      device.tryRead(mapping.dmaAddress(), 1);
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
    reserveOften(ops, state, SETTLING);
    assertThat(ops.allocator.statistics().cachedRanges()).as("kept").isOne();
    ops.forget(state);
    assertThat(ops.allocator.statistics().cachedRanges()).as("forgotten").isZero();
    ops.close();
  }

  @Test
  void aHandleThatGoesToAnotherThreadTakesNoAddressesThere() throws InterruptedException {
    TableOps ops = (TableOps) backend.attach(rig.context(rig.plug(new ProbeDevice(), SlotOptions.DEFAULT), DeviceLimits.UNLIMITED));
    MappingState state = new MappingState(0);
    reserveOften(ops, state, SETTLING - 1);
    assertThat(ops.stateOf(state).settledKeeper()).as("before it has settled").isNull();
    reserveOften(ops, state, 1);
    KeptRange kept = ops.stateOf(state).settledKeeper();
    assertThat(kept).isNotNull();
    long address = ops.stateOf(state).base;
    List<@Nullable KeptRange> elsewhere = new ArrayList<>();
    Thread other = new Thread(() -> {
      ops.reserve(state, 0, 3 * PAGE, 0, -1L, 0);
      elsewhere.add(ops.stateOf(state).settledKeeper());
      long kepts = ops.allocator.allocate(kept, 3, 1, -1L, -1L);
      elsewhere.add(kepts == address ? kept : null);
      ops.allocator.free(kepts, 3);
      giveBack(ops, state);
      reserveOften(ops, state, SETTLING - 1);
      elsewhere.add(ops.stateOf(state).settledKeeper());
    });
    other.start();
    other.join();
    assertThat(elsewhere).as("who keeps addresses there; whether the first one's are kept still; who keeps them once the handle has settled").containsExactly(null, null, kept);
    ops.forget(state);
    ops.close();
  }

  private static void reserveOften(TableOps ops, MappingState state, int times) {
    for (int i = 0; i < times; i++) {
      // So that what is cached in the end is what the state keeps.
      ops.allocator.drainCaches();
      ops.reserve(state, 0, 3 * PAGE, 0, -1L, 0);
      giveBack(ops, state);
    }
  }

  private static void giveBack(TableOps ops, MappingState state) {
    Retirement retirement = new Retirement();
    ops.release(state, retirement);
    retirement.complete();
    state.reset();
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
