package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E2 and E9: windows are freed as they were allocated, are disjoint, and keep the low bits of what is linked. */
public interface AddressRules extends TckFixture {
  /** E2a. */
  @Test
  default void e2aDestroyFreesTheWholeWindowWhateverWasLinked() {
    needs(Behavior.TRANSLATES);
    // A device of few address bits runs out within this many rounds if any window is given back short.
    TckRig small = open(setup().withLimits(DeviceLimits.ofBits(26)));
    long unit = unitOf(small);
    MemoryBlock block = small.memory(unit * 2);
    try (IovaReservation window = small.mapper().newReservation()) {
      for (int round = 0; round < 400; round++) {
        long units = (1 + round % 8) * (1L << 20) / unit + 5;
        window.tryAlloc(block.phys(0), units * unit, DmaDirection.TO_DEVICE, 0);
        if (round % 3 != 0) {
          window.link((units - 1) * unit, block.phys(unit), unit);
          window.sync((units - 1) * unit, unit);
        }
        if (round % 3 == 1) {
          window.unlink((units - 1) * unit, unit);
        }
        window.destroy();
      }
    }
  }

  /** E2b. */
  @Test
  @Tag("breaks:cache-line-shared")
  default void e2bLiveWindowsAreDisjoint() {
    long length = Math.max(rounded(5000), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length * 24);
    List<DmaMapping> live = new ArrayList<>();
    for (int i = 0; i < 24; i++) {
      live.add(rig().map(block, i * length, length, DmaDirection.BIDIRECTIONAL));
    }
    for (int i = 0; i < live.size(); i++) {
      for (int j = 0; j < i; j++) {
        long distance = Math.abs(live.get(i).dmaAddress() - live.get(j).dmaAddress());
        assertThat(distance).as("distance of two live mappings").isGreaterThanOrEqualTo(length);
      }
      assertThat(rig().device().read(live.get(i).dmaAddress(), 32)).isEqualTo(Bytes.of(block, i * length, 32));
    }
    live.forEach(DmaMapping::close);
  }

  /** E9a. */
  @Test
  default void e9aLowBitsOfTheAddressAreKept() {
    for (long mask : new long[] {0, 511, 4095, 8191}) {
      TckRig masked = open(setup().withLimits(setup().limits().withMinAlignMask(mask)));
      MemoryBlock block = masked.memory(spaced(128 << 10));
      long kept = Math.max(mask, masked.mapper().limits().granule() - 1);
      for (long offset = crooked(); offset < spaced(32 << 10); offset += rounded(3700)) {
        try (DmaMapping mapping = masked.map(block, offset, rounded(9000), DmaDirection.TO_DEVICE)) {
          assertThat(mapping.dmaAddress() & kept).as("low bits under mask 0x%x", kept).isEqualTo(block.phys(offset) & kept);
          assertThat(masked.device().read(mapping.dmaAddress(), 256)).isEqualTo(Bytes.of(block, offset, 256));
        }
      }
    }
  }

  /** E9b. */
  @Test
  default void e9bTransfersKeepTheLowBitsOfTheirRanges() {
    for (long mask : new long[] {0, 4095}) {
      TckRig masked = open(setup().withLimits(setup().limits().withMinAlignMask(mask)));
      MemoryBlock block = masked.memory(spaced(128 << 10));
      long kept = Math.max(mask, masked.mapper().limits().granule() - 1);
      Ranges source = new Ranges().add(block.phys(crooked()), rounded(5000)).add(block.phys(spaced(64 << 10)), rounded(700));
      List<long[]> entries = new ArrayList<>();
      try (DmaTransfer transfer = masked.mapper().newTransfer()) {
        transfer.map(source, DmaDirection.TO_DEVICE, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
        assertThat(entries.getFirst()[0] & kept).isEqualTo(source.list().getFirst().phys() & kept);
      }
    }
  }

  /** E9c. */
  @Test
  default void e9cReservationHonoursAlignmentAndHighestAddress() {
    needs(Behavior.TRANSLATES);
    MemoryBlock block = rig().memory(rounded(64 << 10));
    try (IovaReservation window = rig().mapper().newReservation()) {
      for (long alignment = rig().mapper().limits().granule(); alignment <= 1 << 22; alignment <<= 2) {
        long highest = (1L << 28) - 1;
        window.tryAlloc(block.phys(0), block.length(), alignment, highest, DmaDirection.TO_DEVICE, 0, false);
        long first = window.address() & -rig().mapper().limits().granule();
        assertThat(first & alignment - 1).as("alignment of the granule the window starts in").isZero();
        assertThat(Long.compareUnsigned(window.address() + block.length() - 1, highest)).isNotPositive();
        window.free();
      }
    }
  }

  /** E9c. */
  @Test
  @Tag("breaks:device-used-unknown-address")
  default void e9cWindowBeginsAsFarBehindAnAlignedGranuleAsAskedAndIsGivenBackWhole() {
    needs(Behavior.TRANSLATES);
    int bits = 26;
    TckRig small = open(setup().withLimits(DeviceLimits.ofBits(bits)));
    DmaOps ops = small.ops();
    long granule = ops.granule();
    long unit = unitOf(small);
    long alignment = 8 * Long.highestOneBit(unit);
    long lead = 3 * unit;
    int flags = DmaDirection.BIDIRECTIONAL.access();
    MemoryBlock block = small.memory(unit);
    MappingState state = new MappingState(small.layers());
    Retirement batch = new Retirement();
    ops.reserve(state, lead, 2 * unit, alignment, -1L, flags);
    assertThat(state.dmaAddress & alignment - 1).as("where the window begins in its alignment").isEqualTo(lead);
    assertThat(state.allocated).as("what is allocated, with what the window begins behind").isGreaterThanOrEqualTo(lead + 2 * unit);
    ops.link(state, unit, block.phys(0), unit, flags, batch);
    ops.publish(state, 0, 2 * unit, batch);
    assertThat(ops.physOf(state, unit)).isEqualTo(block.phys(0));
    assertThat(small.device().read(state.dmaAddress + unit, 64)).isEqualTo(Bytes.of(block, 0, 64));
    small.device().requireRefused(state.dmaAddress - granule, "nothing is linked before the window");
    ops.release(state, batch);
    batch.complete();
    // So many that the device's few address bits run out if any is given back short.
    for (long round = (1L << bits) / alignment; round >= 0; round--) {
      state.reset();
      ops.reserve(state, lead, 2 * unit, alignment, -1L, flags);
      ops.release(state, batch);
      batch.complete();
    }
  }

  /** E9d. */
  @Test
  default void e9dAddressesStayWithinTheDevicesReach() {
    for (int bits : new int[] {27, 30, 32}) {
      requireWithin(open(setup().withLimits(DeviceLimits.ofBits(bits))), bits);
    }
  }

  /** E9d. */
  @Test
  default void e9dAddressesStayWithinWhatTheBusPasses() {
    int bits = 30;
    TckSetup wide = setup();
    TckSetup narrow = wide.withBusBits(bits);
    assumeTrue(narrow != wide, "this machine has one bus, which passes every address");
    requireWithin(open(narrow), bits);
  }

  /** E9e. */
  @Test
  default void e9eReservedAddressesAreNeverHandedOut() {
    needs(Behavior.TRANSLATES);
    TckRig full = open(setup().withLimits(DeviceLimits.ofBits(32)));
    AddressSpace space = full.machine().addressSpaceFor(full.slot());
    // Of all that a device of 32 bits reaches, one window each: what is reserved there would be among it.
    long length = 16 << 20;
    List<IovaReservation> windows = new ArrayList<>();
    DmaMappingException refusal = null;
    while (refusal == null) {
      IovaReservation window = full.mapper().newReservation();
      refusal = catchThrowableOfType(DmaMappingException.class, () -> window.tryAlloc(0, length, DmaDirection.TO_DEVICE, 0));
      if (refusal == null) {
        windows.add(window);
        long first = window.address();
        long last = first + length - 1;
        assertThat(space.reserved()).as("reserved addresses, of which 0x%x+0x%x was handed out", first, length).noneMatch(range -> range.overlaps(first, last));
        if (space.iommu() instanceof HostManagedIommu host) {
          assertThat(host.windows())
              .as("addresses that the host allows, without 0x%x+0x%x that was handed out", first, length)
              .anyMatch(range -> Long.compareUnsigned(range.first(), first) <= 0 && Long.compareUnsigned(last, range.last()) <= 0);
        }
      }
    }
    assertThat(refusal.reason()).as(refusal.getMessage()).isEqualTo(Reason.IOVA_EXHAUSTED);
    assertThat(windows).as("windows within 32 bits").isNotEmpty();
    windows.forEach(IovaReservation::close);
  }

  private void requireWithin(TckRig small, int bits) {
    MemoryBlock block = small.memory(spaced(32 << 10));
    long last = block.phys(block.length() - 1);
    for (OffsetWindow window : small.machine().addressSpaceFor(small.slot()).offsetWindows()) {
      last += window.holdsPhys(block.phys(0), block.length()) ? window.firstDmaAddress() - window.firstPhys() : 0;
    }
    boolean within = has(Behavior.TRANSLATES) || has(Behavior.BOUNCES) || last >>> bits == 0;
    if (within) {
      try (DmaMapping mapping = small.map(block, 0, block.length(), DmaDirection.TO_DEVICE)) {
        assertThat((mapping.dmaAddress() + block.length() - 1) >>> bits).as("bits above the device's %d", bits).isZero();
      }
    } else {
      assertThatThrownBy(() -> small.map(block, 0, block.length(), DmaDirection.TO_DEVICE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.OUT_OF_REACH));
    }
    long quarter = block.length() / 4;
    Ranges apart = new Ranges().add(block.phys(0), quarter).add(block.phys(2 * quarter), quarter);
    try (DmaTransfer transfer = small.mapper().newTransfer()) {
      if (within) {
        long entries = transfer.map(apart, DmaDirection.TO_DEVICE, 0, (address, length, kind) -> (address + length - 1) >>> bits == 0);
        assertThat(entries).as("entries within the device's %d bits", bits).isPositive();
      } else {
        assertThatThrownBy(() -> transfer.map(apart, DmaDirection.TO_DEVICE, 0, (address, length, kind) -> true))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.OUT_OF_REACH));
      }
    }
  }
}
