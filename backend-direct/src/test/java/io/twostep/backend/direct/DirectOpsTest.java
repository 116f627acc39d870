package io.twostep.backend.direct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaStack;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Retirement;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class DirectOpsTest {
  private static final int READ = MapFlags.DEVICE_READS;
  private static final int WRITE = MapFlags.DEVICE_WRITES;
  private static final int BOTH = MapFlags.ACCESS;

  private final FakeMachine machine = new FakeMachine();
  private final MappingState state = new MappingState(0);
  private final Retirement retirement = new Retirement();

  private DmaOps attach(DeviceLimits limits) {
    return new DirectBackend().attach(machine.context(limits));
  }

  private DmaMappingException refusal(DmaOps ops, long phys, long length, int flags) {
    DmaMappingException e =
        catchThrowableOfType(DmaMappingException.class, () -> ops.map(state, phys, length, flags, retirement));
    assertThat(e).isNotNull().hasMessageContaining("0000:01:00.0").hasMessageContaining(Long.toHexString(phys));
    assertThat(retirement.isEmpty()).isTrue();
    return e;
  }

  @Test
  void mapGivesCoherentDevicesThePhysicalAddressAndOwesNothing() {
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    ops.map(state, 0x12345678L, 0x801, BOTH, retirement);

    assertThat(state.dmaAddress).isEqualTo(0x12345678L);
    assertThat(state.length).isEqualTo(0x801);
    assertThat(state.allocated).isZero();
    assertThat(state.flags).isEqualTo(BOTH);
    assertThat(ops.physOf(state, 0x800)).isEqualTo(0x12345e78L);
    ops.sync(state, 0, 0x801, DmaOps.TOWARD_CPU);
    ops.unmap(state, retirement);
    assertThat(machine.cacheCalls).isEmpty();
    assertThat(retirement.isEmpty()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {24, 31, 32, 33, 39, 47, 48, 57, 63, 64})
  void mapEndsExactlyAtTheHighestAddressOfTheDevice(int bits) {
    DmaOps ops = attach(DeviceLimits.ofBits(bits));
    long highest = bits == 64 ? -1L : (1L << bits) - 1;

    ops.map(state, highest - 0xfff, 0x1000, BOTH, retirement);
    assertThat(state.dmaAddress).isEqualTo(highest - 0xfff);
    assertThat(ops.reaches(highest - 0xfff, 0x1000)).isTrue();

    assertThat(ops.reaches(highest - 0xfff, 0x1001)).isFalse();
    assertThat(refusal(ops, highest - 0xfff, 0x1001, BOTH).reason()).isEqualTo(Reason.OUT_OF_REACH);
  }

  @Test
  void manyRangesInPlaceEndBeforeTheFirstThatMapWouldRefuse() {
    DmaOps ops = attach(DeviceLimits.ofBits(32));
    long[] phys = {7, 0x1000, 0x8000_0000L, 0xffff_f000L, 0xffff_f001L, 0x2000};
    long[] length = {7, 0x1000, 1, 0x1000, 0x1000, 0x1000};
    long[] address = {-7, -7, -7, -7, -7, -7};

    assertThat(ops.mapInPlace(phys, length, 1, 6, BOTH, address)).isEqualTo(3);
    assertThat(address).containsExactly(-7, 0x1000, 0x8000_0000L, 0xffff_f000L, -7, -7);
    assertThat(ops.mapInPlace(phys, length, 4, 6, BOTH, address)).isZero();
    assertThat(ops.mapInPlace(phys, length, 5, 6, BOTH, address)).isEqualTo(1);
  }

  @Test
  void rangesInPlaceKeepOffsetsAlignmentAndTheMaskOfCoherentMemory() {
    machine.windows.add(new OffsetWindow(0x10_0000, 0x8000_0000L, 0x10_0000));
    long[] phys = {0x10_0000, 0x1f_f000, 0x1f_f001};
    long[] length = {1, 0x1000, 0x1000};
    long[] address = new long[3];
    assertThat(attach(DeviceLimits.UNLIMITED).mapInPlace(phys, length, 0, 3, BOTH, address)).isEqualTo(2);
    assertThat(address).containsExactly(0x8000_0000L, 0x800f_f000L, 0);

    DeviceLimits low = DeviceLimits.ofBits(48).withHighestCoherentAddress(0x7fff_ffffL);
    assertThat(attach(low).mapInPlace(phys, length, 0, 2, BOTH, address)).isEqualTo(2);
    assertThat(attach(low).mapInPlace(phys, length, 0, 2, BOTH | MapFlags.COHERENT_MEMORY, address)).isZero();
  }

  @Test
  void nothingIsMappedInPlaceForADeviceThatDoesNotSnoop() {
    machine.coherent = false;
    long[] address = new long[1];
    assertThat(attach(DeviceLimits.UNLIMITED).mapInPlace(new long[] {0x1000}, new long[] {0x1000}, 0, 1, BOTH, address)).isZero();
  }

  @Test
  void refusalBeyondTheMaskNamesDeviceRangeAndLimitEveryTime() {
    DmaOps ops = attach(DeviceLimits.ofBits(32));
    for (int i = 0; i < 2; i++) {
      assertThat(refusal(ops, 0xffff_f000L, 0x1001, READ))
          .hasMessageContaining("0xfffff000+0x1001")
          .hasMessageContaining("0xffffffff");
    }
  }

  @Test
  void lowerOfBusLimitAndMaskDecides() {
    machine.busLimit = 0xffff_ffffL;
    DmaOps ops = attach(DeviceLimits.ofBits(48));

    assertThat(refusal(ops, 0x1_0000_0000L, 1, READ).reason()).isEqualTo(Reason.OUT_OF_REACH);
    ops.map(state, 0xffff_ffffL, 1, READ, retirement);
    assertThat(state.dmaAddress).isEqualTo(0xffff_ffffL);
  }

  @Test
  void coherentMemoryHasItsOwnMask() {
    DeviceLimits limits = DeviceLimits.ofBits(48).withHighestCoherentAddress(0xffff_ffffL);
    DmaOps ops = attach(limits);

    ops.map(state, 0x1_0000_0000L, 0x1000, BOTH, retirement);
    int coherent = BOTH | MapFlags.COHERENT_MEMORY | MapFlags.OWNED;
    assertThat(refusal(ops, 0x1_0000_0000L, 0x1000, coherent).reason()).isEqualTo(Reason.OUT_OF_REACH);
    machine.busLimit = 0xffffL;
    assertThat(refusal(attach(limits), 0x1_0000L, 0x1000, coherent)).hasMessageContaining("0xffff,");
  }

  @Test
  void rangeMustLieWhollyInOneOffsetWindow() {
    machine.windows.add(new OffsetWindow(0x8000_0000L, 0, 0x1000_0000L));
    machine.windows.add(new OffsetWindow(0x9000_0000L, 0x4000_0000L, 0x1000_0000L));
    DmaOps ops = attach(DeviceLimits.ofBits(32));

    ops.map(state, 0x8fff_f000L, 0x1000, BOTH, retirement);
    assertThat(state.dmaAddress).isEqualTo(0x0fff_f000L);
    ops.map(state, 0x9000_0123L, 0x1000, BOTH, retirement);
    assertThat(state.dmaAddress).isEqualTo(0x4000_0123L);
    assertThat(ops.physOf(state, 0xfff)).isEqualTo(0x9000_1122L);

    assertThat(refusal(ops, 0x8fff_f000L, 0x1001, BOTH).reason()).isEqualTo(Reason.OUT_OF_REACH);
    assertThat(refusal(ops, 0x7fff_ffffL, 0x10, BOTH)).hasMessageContaining("offset window");
    assertThat(ops.reaches(0x8fff_f000L, 0x1001)).isFalse();
  }

  @Test
  void offsetThatLosesLowBitsIsRefusedWhereTheDeviceNeedsThem() {
    machine.windows.add(new OffsetWindow(0x8000_0000L, 0x800, 0x1000_0000L));
    machine.windows.add(new OffsetWindow(0x9000_0000L, 0x4000_0000L, 0x1000_0000L));
    DmaOps ops = attach(DeviceLimits.UNLIMITED.withMinAlignMask(0xfff));

    assertThat(refusal(ops, 0x8000_0000L, 0x200, BOTH).reason()).isEqualTo(Reason.MISALIGNED);
    assertThat(ops.reaches(0x8000_0000L, 0x200)).isFalse();
    ops.map(state, 0x9000_0010L, 0x200, BOTH, retirement);
    assertThat(state.dmaAddress).isEqualTo(0x4000_0010L);
  }

  @Test
  void ownershipOfCacheLinesMovesForDevicesThatDoNotSnoop() {
    machine.coherent = false;
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    ops.map(state, 0x1000, 0x100, BOTH, retirement);
    assertThat(state.has(MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP)).isTrue();
    ops.sync(state, 0x41, 1, DmaOps.TOWARD_CPU);
    ops.sync(state, 0x3f, 2, DmaOps.TOWARD_DEVICE);
    ops.unmap(state, retirement);

    List<String> beforeCompletion = List.of("clean 0x1000+0x100", "clean 0x1040+0x40", "invalidate 0x1040+0x40", "clean 0x1000+0x80");
    assertThat(machine.cacheCalls).as("until the batch completes the memory is the device's").isEqualTo(beforeCompletion);
    retirement.complete();
    assertThat(machine.cacheCalls.subList(beforeCompletion.size(), machine.cacheCalls.size()))
        .containsExactly("clean 0x1000+0x100", "invalidate 0x1000+0x100");
  }

  @Test
  void memoryThatTheDeviceOnlyReadsIsNeverDroppedFromTheCache() {
    machine.coherent = false;
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    ops.map(state, 0x1000, 0x100, READ, retirement);
    ops.sync(state, 0, 0x100, DmaOps.TOWARD_CPU);
    ops.unmap(state, retirement);

    assertThat(machine.cacheCalls).containsExactly("clean 0x1000+0x100");
  }

  @ParameterizedTest
  @ValueSource(longs = {0x1001, 0x103f, 0x1020})
  void cacheLineSharedWithOthersIsRefused(long phys) {
    machine.coherent = false;
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    assertThat(refusal(ops, phys, 0x40, WRITE).reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
    assertThat(refusal(ops, 0x1000, phys - 0x1000, WRITE).reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
    assertThat(ops.reaches(phys, 0x40)).isFalse();
    assertThat(machine.cacheCalls).isEmpty();
  }

  @Test
  void requireCoherentRefusesCacheMaintenanceButTakesCoherentMemory() {
    machine.coherent = false;
    DmaOps ops = attach(DeviceLimits.UNLIMITED);
    int flags = BOTH | DmaAttributes.REQUIRE_COHERENT;

    assertThat(refusal(ops, 0x1000, 0x1000, flags).reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
    ops.map(state, 0x1000, 0x1010, flags | MapFlags.COHERENT_MEMORY | MapFlags.OWNED, retirement);

    assertThat(state.has(MapFlags.NEEDS_SYNC)).isFalse();
    assertThat(state.has(MapFlags.NEEDS_UNMAP)).isFalse();
    assertThat(machine.cacheCalls).isEmpty();
  }

  @Test
  void peerMemoryIsRefusedUnlessALayerSaysItIsReachable() {
    machine.coherent = false;
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    assertThat(ops.classify(FakeMachine.PEER_FIRST, 0x1000)).isEqualTo(RangeKind.UNREACHABLE);
    assertThat(ops.classify(0x1000, 0x1000)).isEqualTo(RangeKind.LOCAL);
    assertThat(refusal(ops, FakeMachine.PEER_FIRST, 0x1000, BOTH).reason()).isEqualTo(Reason.PEER_UNREACHABLE);

    ops.map(state, FakeMachine.PEER_FIRST + 1, 3, BOTH | MapFlags.PEER, retirement);
    assertThat(state.dmaAddress).isEqualTo(FakeMachine.PEER_FIRST + 1);
    assertThat(machine.cacheCalls).isEmpty();
  }

  @Test
  void whatIsNeverBouncedIsNotRefusedWithTheAdviceToBounceIt() {
    DmaOps narrow = attach(DeviceLimits.ofBits(24));
    machine.windows.add(new OffsetWindow(0x8000_0000L, 0x800, 0x7000_0000L));
    DmaOps shifted = attach(DeviceLimits.UNLIMITED.withMinAlignMask(0xfff));
    machine.windows.set(0, new OffsetWindow(0x8000_0000L, 0, 0x1000_0000L));
    DmaOps windowed = attach(DeviceLimits.UNLIMITED);

    for (DmaOps ops : new DmaOps[] {narrow, shifted, windowed}) {
      assertThat(refusal(ops, FakeMachine.PEER_FIRST, 0x1000, BOTH | MapFlags.PEER)).hasMessageContaining("; copy through host memory").message().doesNotContain("swiotlb");
    }
    for (DmaOps ops : new DmaOps[] {narrow, shifted}) {
      assertThat(refusal(ops, 0x9000_0000L, 0x1000, BOTH | MapFlags.COHERENT_MEMORY)).hasMessageContaining("; allocate it elsewhere").message().doesNotContain("swiotlb");
    }
  }

  @Test
  void windowsOfIoAddressesDoNotExistHere() {
    DmaOps ops = attach(DeviceLimits.UNLIMITED);

    assertThat(ops.translates()).isFalse();
    assertThat(ops.granule()).isEqualTo(1);
    assertThat(ops.unit()).isEqualTo(1);
    assertThatThrownBy(() -> ops.reserve(state, 0, 0x1000, 0, -1L, BOTH))
        .isInstanceOfSatisfying(
            DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED))
        .hasMessageContaining("use a transfer");
  }

  @Test
  void untrustedDevicesAreRefusedAtAttach() {
    machine.trusted = false;

    assertThatThrownBy(() -> attach(DeviceLimits.UNLIMITED))
        .isInstanceOfSatisfying(
            DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED))
        .hasMessageContaining("0000:01:00.0")
        .hasMessageContaining("untrusted");
  }

  @ParameterizedTest
  @EnumSource(names = {"TRANSLATED", "BLOCKED"})
  void spacesThatTranslateOrBlockAreRefusedAtAttach(Translation translation) {
    machine.translation = translation;

    assertThatThrownBy(() -> attach(DeviceLimits.UNLIMITED))
        .isInstanceOfSatisfying(
            DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED))
        .hasMessageContaining("group 7");
  }

  @ParameterizedTest
  @EnumSource(names = {"IDENTITY", "NONE"})
  @Tag("unchecked")
  void driversMapThroughTheStack(Translation translation) {
    machine.translation = translation;
    try (DmaMapper mapper = DmaStack.of(new DirectBackend()).attach(machine, machine, DeviceLimits.ofBits(48))) {
      assertThat(mapper.newReservation().tryAlloc(0, 0x1000, DmaDirection.BIDIRECTIONAL, 0)).isFalse();
      try (DmaMapping mapping = mapper.map(0x5123, 0x1000, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(0x5123);
        assertThat(mapping.needsUnmap()).isFalse();
        assertThat(mapping.needsSync()).isFalse();
      }
      assertThat(mapper.liveMappings()).isZero();
    }
  }
}
