package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.SparseWindow;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** From when the addresses of a teardown may be another thread's: at once where the terminal is lazy and may be, else not before the batch releases them. */
class AddressReuseTest {
  private static final long PAGE = Rig.PAGE;

  private final TeardownHook hook = new TeardownHook();

  /** Do something on another thread, from beginning to end. */
  private static void elsewhere(Runnable task) {
    CompletableFuture.runAsync(task, Thread.ofPlatform()::start).join();
  }

  /** Flush, and map pages until one has the address. */
  private static List<DmaMapping> mapUntil(Rig rig, long address) {
    rig.mapper.awaitQuiescence();
    List<DmaMapping> mappings = new ArrayList<>();
    do {
      mappings.add(map(rig));
    } while (mappings.getLast().dmaAddress() != address);
    return mappings;
  }

  private static DmaMapping map(Rig rig) {
    return rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE);
  }

  @Test
  void lazyTerminalMayGiveAddressesToAnotherThreadDuringTheTeardown() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      long address = mapping.dmaAddress();
      List<DmaMapping> others = new ArrayList<>();
      hook.next = () -> elsewhere(() -> others.addAll(mapUntil(rig, address)));
      mapping.close();
      assertThat(others).isNotEmpty();
      silent(rig, others);
    }
  }

  @Test
  void lazyTerminalMayGiveTheAddressesOfWindowsAwayToo() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      IovaReservation window = rig.mapper.newReservation();
      assertThat(window.tryAlloc(0, PAGE, TO_DEVICE, NONE)).isTrue();
      window.link(0, rig.allocate(PAGE).phys(0), PAGE);
      long address = window.address();
      List<DmaMapping> others = new ArrayList<>();
      hook.next = () -> elsewhere(() -> others.addAll(mapUntil(rig, address)));
      window.destroy();
      assertThat(others).isNotEmpty();
      silent(rig, others);
    }
  }

  @Test
  void lazyTerminalMayGiveAddressesToAnotherThreadBeforeTheBatchIsComplete() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      long address = mapping.dmaAddress();
      List<DmaMapping> others = new ArrayList<>();
      try (InvalidationBatch batch = rig.mapper.newBatch()) {
        mapping.unmap(batch);
        elsewhere(() -> others.addAll(mapUntil(rig, address)));
      }
      silent(rig, others);
    }
  }

  /** What got the addresses is followed as if nobody had had them before. */
  private static void silent(Rig rig, List<DmaMapping> others) {
    rig.device.read(others.getLast().dmaAddress(), 1);
    others.forEach(DmaMapping::close);
    rig.mapper.close();
    rig.checker.close();
    assertThat(rig.reports()).isEmpty();
    assertThat(rig.checker.statistics().entries()).isZero();
  }

  @Test
  void lazyTerminalThatGivesAnAddressOutAgainBeforeAnyFlushIsCaught() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      hook.address = mapping.dmaAddress();
      mapping.close();
      Rig.ignore(map(rig));
      rig.only(Rule.BELOW_ADDRESS_REUSED_EARLY, true);
    }
  }

  @Test
  void addressesThatLedTheDeviceNowhereNeedNoFlush() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook);
        IovaReservation window = rig.mapper.newReservation()) {
      assertThat(window.tryAlloc(0, PAGE, TO_DEVICE, NONE)).isTrue();
      hook.address = window.address();
      window.free();
      Rig.ignore(map(rig));
      assertThat(rig.reports()).isEmpty();
    }
  }

  @Test
  void anotherTerminalCountsItsFlushesAnew() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      long address = mapping.dmaAddress();
      mapping.close();
      rig.mapper.close();
      try (DmaMapper mapper = rig.stack.attach(rig.machine, rig.slot, DeviceLimits.ofBits(20));
          DmaMapping again = mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE)) {
        assertThat(again.dmaAddress()).isEqualTo(address);
        assertThat(rig.reports()).isEmpty();
      }
    }
  }

  @Test
  void lazyTeardownThatThrowsAfterItsAddressesWereGivenAwayIsCaught() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      long address = mapping.dmaAddress();
      List<DmaMapping> others = new ArrayList<>();
      hook.next =
          () -> {
            elsewhere(() -> others.addAll(mapUntil(rig, address)));
            throw new DmaMappingException(Reason.BACKEND, "too late to say so");
          };
      assertThatThrownBy(mapping::close).isInstanceOf(DmaMappingException.class);
      rig.only(Rule.BELOW_CHANGED_ON_FAILURE, true);
    }
  }

  @Test
  void strictTerminalThatGivesAnAddressToAnotherThreadDuringTheTeardownIsCaught() {
    try (Rig rig = Rig.narrow(FlushPolicy.STRICT, hook)) {
      DmaMapping mapping = map(rig);
      hook.address = mapping.dmaAddress();
      hook.next = () -> elsewhere(() -> Rig.ignore(map(rig)));
      mapping.close();
      rig.only(Rule.BELOW_ADDRESS_TAKEN, true);
    }
  }

  @Test
  void strictTerminalThatGivesAnAddressToAnotherThreadBeforeTheBatchIsCompleteIsCaught() {
    try (Rig rig = Rig.narrow(FlushPolicy.STRICT, hook)) {
      DmaMapping mapping = map(rig);
      hook.address = mapping.dmaAddress();
      try (InvalidationBatch batch = rig.mapper.newBatch()) {
        mapping.unmap(batch);
        elsewhere(() -> Rig.ignore(map(rig)));
        rig.only(Rule.BELOW_ADDRESS_REUSED_EARLY, true);
      }
    }
  }

  @Test
  void lazyTerminalThatGivesTheAddressOfAStrictTeardownAwayIsCaught() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      SparseWindow window = rig.mapper.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE);
      hook.address = window.address();
      hook.next = () -> elsewhere(() -> Rig.ignore(map(rig)));
      window.close();
      rig.only(Rule.BELOW_ADDRESS_TAKEN, true);
    }
  }

  @Test
  void addressesThatQuarantineReleasesMayBeHandedOutAgain() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      hook.next =
          () -> {
            throw new DmaMappingException(Reason.BACKEND, "not proved away");
          };
      long address = mapping.dmaAddress();
      assertThatThrownBy(mapping::close).isInstanceOf(DmaMappingException.class);
      assertThat(rig.reports()).isEmpty();

      assertThat(rig.mapper.releaseQuarantined()).isZero();
      silent(rig, mapUntil(rig, address));
    }
  }

  @Test
  void addressesOfALazyTeardownThatFailedAreNotHandedOutAgain() {
    try (Rig rig = Rig.narrow(FlushPolicy.LAZY, hook)) {
      DmaMapping mapping = map(rig);
      hook.address = mapping.dmaAddress();
      hook.next =
          () -> {
            throw new DmaMappingException(Reason.BACKEND, "not proved away");
          };
      assertThatThrownBy(mapping::close).isInstanceOf(DmaMappingException.class);
      Rig.ignore(map(rig));
      rig.only(Rule.BELOW_ADDRESS_TAKEN, true);
    }
  }

  @Test
  void mapperThatIsClosedWhileAnotherThreadUnmapsLeavesNothingBehind() {
    try (Rig rig = Rig.narrow(FlushPolicy.STRICT, hook)) {
      DmaMapping mapping = map(rig);
      hook.next = () -> elsewhere(rig.mapper::close);
      mapping.close();
      rig.checker.close();
      assertThat(rig.reports()).isEmpty();
    }
  }
}
