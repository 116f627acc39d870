package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.HostTerminal;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Each reason that this module or its fixtures give reaches the caller with the device and the range in its message, and leaves nothing. */
class ReasonsTest {
  private static final long PAGE = 4096;

  private static void refused(Rig rig, Reason reason, Runnable call) {
    String before = rig.accounts();
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason))
        .hasMessageContaining("[" + reason + "]");
    assertThat(rig.accounts()).isEqualTo(before);
  }

  private static void mapRefused(Rig rig, Reason reason, long phys, long length, int attributes) {
    refused(rig, reason, () -> rig.mapper.map(phys, length, TO_DEVICE, attributes));
  }

  @Test
  void outOfReachBelowADirectDevicesMask() {
    Rig rig = new Rig(Rig.Kind.DIRECT, 4096, DeviceLimits.ofBits(31));
    mapRefused(rig, Reason.OUT_OF_REACH, rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS).phys(0), PAGE, NONE);
    assertThat(rig.mapper.limits().addressingLimited()).isTrue();
  }

  @Test
  void iovaExhausted() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    refused(rig, Reason.OUT_OF_BOUNDS, () -> rig.mapper.newWindow(1L << 40, PAGE, TO_DEVICE, NONE));
    assertThat(new DmaMappingException(Reason.OUT_OF_BOUNDS, "x").isRetryable()).as("no waiting makes an address space longer").isFalse();
    assertThat(new DmaMappingException(Reason.IOVA_EXHAUSTED, "x").isRetryable()).isTrue();
  }

  @Test
  void outOfBoundsWhereTheLowBitsThatAreKeptLeaveNoRoom() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING, 4096, DeviceLimits.UNLIMITED.withMinAlignMask(0xffff));
    IovaReservation window = rig.mapper.newReservation();
    refused(rig, Reason.OUT_OF_BOUNDS, () -> window.tryAlloc(0x5000, Long.MAX_VALUE, TO_DEVICE, NONE));
    assertThat(window.tryAlloc(0x5000, PAGE, TO_DEVICE, NONE)).isTrue();
    window.free();
  }

  @Test
  void aDeviceCannotWantEveryBitKept() {
    assertThatThrownBy(() -> DeviceLimits.UNLIMITED.withMinAlignMask(-1L))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("minAlignMask 0xffffffffffffffff");
  }

  @Test
  void bounceReasons() {
    Rig rig = new Rig(Rig.Kind.BOUNCE_TRANSLATING);
    FakeBlock block = rig.allocate((Rig.SLOTS + 1) * PAGE, MemoryPlacement.CONTIGUOUS);
    mapRefused(rig, Reason.BOUNCE_TOO_LARGE, block.phys(0), block.length(), NONE);
    mapRefused(rig, Reason.BOUNCE_FORBIDDEN, block.phys(0), 1, DmaAttributes.REQUIRE_COHERENT);
    DmaMapping most = rig.mapper.map(block.phys(0), (Rig.SLOTS - 1) * PAGE, TO_DEVICE, NONE);
    mapRefused(rig, Reason.BOUNCE_EXHAUSTED, block.phys(0), 2 * PAGE, NONE);
    most.close();
    refused(rig, Reason.UNSUPPORTED, () -> rig.mapper.newWindow(PAGE, PAGE, TO_DEVICE, NONE));
    Rig direct = new Rig(Rig.Kind.BOUNCE_DIRECT);
    refused(direct, Reason.UNSUPPORTED, () -> direct.mapper.newWindow(PAGE, PAGE, TO_DEVICE, NONE));
  }

  @Test
  @Tag("breaks:bus-address-linked+not-memory")
  void peerReasons() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    mapRefused(rig, Reason.PEER_UNREACHABLE, rig.far.phys(0), 1, NONE);
    mapRefused(new Rig(Rig.Kind.TRANSLATING), Reason.NOT_BACKED, 0x7777_0000_0000L, 1, NONE);
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, PAGE, TO_DEVICE, NONE);
    refused(rig, Reason.BUS_ADDRESS, () -> window.link(0, rig.bus.phys(0), PAGE));
    refused(rig, Reason.PEER_UNREACHABLE, () -> window.link(0, rig.far.phys(0), PAGE));
    window.link(0, rig.bridge.phys(0), PAGE);
    SparseWindow sparse = rig.mapper.newWindow(2 * PAGE, PAGE, TO_DEVICE, NONE);
    refused(rig, Reason.BUS_ADDRESS, () -> sparse.link(0, rig.bus.phys(0), PAGE, TO_DEVICE));
    assertThat(sparse.link(PAGE, rig.bridge.phys(PAGE), PAGE, TO_DEVICE)).isEqualTo(sparse.address() + PAGE);
  }

  @Test
  @Tag("breaks:not-memory")
  void notBacked() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    mapRefused(rig, Reason.NOT_BACKED, rig.registers.phys(0), 4, NONE);
    mapRefused(rig, Reason.NOT_BACKED, block.phys(0), PAGE + 1, NONE);
    refused(rig, Reason.NOT_BACKED, () -> rig.mapper.map(MemorySegment.ofArray(new byte[8]), TO_DEVICE, NONE));
    refused(rig, Reason.NOT_BACKED, () -> rig.mapper.newTransfer().plan(Ranges.of(rig.registers.phys(0), 4)));
  }

  @Test
  @Tag("breaks:not-memory")
  void notBackedTellsGarbageFromMemoryInSeveralPieces() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    assertThatThrownBy(() -> rig.mapper.map(block.phys(100), 3 * PAGE, TO_DEVICE, NONE))
        .hasMessageContaining("only the first 0xf9c bytes")
        .hasMessageContaining("ranges()");
    assertThatThrownBy(() -> rig.mapper.map(0x7777_0000_0000L, PAGE, TO_DEVICE, NONE))
        .hasMessageContaining("allocate from memory()");
  }

  @Test
  void notLinear() {
    Rig direct = new Rig(Rig.Kind.DIRECT);
    FakeBlock scattered = direct.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    refused(direct, Reason.NOT_LINEAR, () -> direct.mapper.map(scattered.segment(), TO_DEVICE, NONE));
    direct.mapper.map(scattered.segment().asSlice(100, 200), TO_DEVICE, NONE).close();
    Rig coarse = new Rig(Rig.Kind.TRANSLATING, 16384, DeviceLimits.UNLIMITED);
    FakeBlock block = coarse.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    refused(coarse, Reason.NOT_LINEAR, () -> coarse.mapper.map(block.segment(), TO_DEVICE, NONE));
  }

  @Test
  @Tag("breaks:link-overlaps+misaligned-link+misaligned-unlink+unlink-of-hole+unlink-splits")
  void linkReasons() {
    Rig rig = new Rig(Rig.Kind.HOST);
    FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.CONTIGUOUS);
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, 8 * PAGE, TO_DEVICE, NONE);
    window.link(0, block.phys(0), 4 * PAGE);
    window.sync(0, 4 * PAGE);
    refused(rig, Reason.ALREADY_LINKED, () -> window.link(3 * PAGE, block.phys(0), PAGE));
    refused(rig, Reason.MISALIGNED, () -> window.link(4 * PAGE, block.phys(1), PAGE));
    refused(rig, Reason.MISALIGNED, () -> window.unlink(0, 100));
    refused(rig, Reason.NOT_LINKED, () -> window.unlink(4 * PAGE, PAGE));
    refused(rig, Reason.NOT_SPLITTABLE, () -> window.unlink(0, PAGE));
    refused(rig, Reason.NOT_SPLITTABLE, () -> window.unlink(PAGE, 3 * PAGE));
    assertThat(rig.deviceRead(window.address() + 3 * PAGE)).isZero();
    window.unlink(0, 4 * PAGE);
    window.free();
  }

  @Test
  void mappingSlotsAreAHostsAndNothingIsMappedWithoutThem() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    HostTerminal host = new HostTerminal(rig.faults, 4096, 2);
    DmaMapper mapper = DmaStack.of(host).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.SCATTERED);
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 8 * PAGE, TO_DEVICE, NONE);
    for (int i = 0; i < 3; i++) {
      window.link(i * PAGE, block.phys(i * PAGE), PAGE);
    }
    refused(rig, Reason.MAPPING_SLOTS, () -> window.sync(0, 3 * PAGE));
    assertThat(host.runs()).as("the failed sync undid itself").isZero();
    window.sync(0, 2 * PAGE);
    assertThat(host.runs()).isEqualTo(2);
    window.destroy();
    assertThat(host.runs()).isZero();
  }

  @Test
  void coherentMemoryKeepsBelowItsOwnLimit() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING, 4096, DeviceLimits.UNLIMITED.withHighestCoherentAddress(0xFFFF));
    DmaBuffer[] buffers = new DmaBuffer[15];
    for (int i = 0; i < 15; i++) {
      buffers[i] = rig.mapper.allocateCoherent(PAGE);
      assertThat(buffers[i].dmaAddress()).isLessThan(0x10000);
    }
    refused(rig, Reason.IOVA_EXHAUSTED, () -> rig.mapper.allocateCoherent(1));
    for (DmaBuffer buffer : buffers) {
      buffer.close();
    }
    Rig direct = new Rig(Rig.Kind.DIRECT, 4096, DeviceLimits.UNLIMITED.withHighestCoherentAddress(0xFFFF));
    refused(direct, Reason.NOT_BACKED, () -> direct.mapper.allocateCoherent(1));
  }

  @Test
  void windowsWithoutTranslationHoldWhatTheDeviceReaches() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.SCATTERED);
    try (SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      Entries entries = new Entries();
      assertThat(window.link(0, block.ranges(), TO_DEVICE, entries)).isEqualTo(8);
      assertThat(rig.reached(entries.list.get(3).dmaAddress(), 0)).isEqualTo(block.phys(3 * PAGE));
      refused(rig, Reason.ALREADY_LINKED, () -> window.link(0, block.phys(0), PAGE, TO_DEVICE));
      refused(rig, Reason.UNSUPPORTED, () -> window.protect(0, PAGE, TO_DEVICE));
      assertThatThrownBy(window::address).isInstanceOf(IllegalStateException.class);
      window.unlink(PAGE, 2 * PAGE);
      assertThat(window.isLinked(PAGE)).isFalse();
      assertThat(block.region.pins()).isEqualTo(6);
    }
    assertThat(rig.memory.pins()).isZero();
    refused(rig, Reason.UNSUPPORTED, () -> rig.mapper.newWindow(1L << 50, PAGE, TO_DEVICE, NONE));
    Rig narrow = new Rig(Rig.Kind.DIRECT, 4096, DeviceLimits.ofBits(32));
    narrow.mapper.newWindow(PAGE, PAGE, TO_DEVICE, NONE).close();
    Rig tooNarrow = new Rig(Rig.Kind.DIRECT, 4096, DeviceLimits.ofBits(31));
    refused(tooNarrow, Reason.UNSUPPORTED, () -> tooNarrow.mapper.newWindow(PAGE, PAGE, TO_DEVICE, NONE));
  }

  @Test
  void onlyReasonsThatWaitingCanHelpAreRetryable() {
    assertThat(java.util.Arrays.stream(Reason.values()).filter(Reason::isRetryable))
        .containsExactly(
            Reason.IOVA_EXHAUSTED,
            Reason.TABLE_MEMORY,
            Reason.BOUNCE_EXHAUSTED,
            Reason.MAPPING_SLOTS,
            Reason.PIN_LIMIT,
            Reason.QUOTA);
  }

  @Test
  void windowBelowALayerThatMustSeeEveryUnmapIsRefusedAtOnce() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    DmaMapper mapper = DmaStack.of(rig.terminal, new WatchfulLayer()).attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED);
    String before = rig.accounts();
    assertThatThrownBy(() -> mapper.newWindow(PAGE, PAGE, TO_DEVICE, NONE))
        .hasMessageContaining("nvme0")
        .hasMessageContaining("must hear of every unmap")
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
    assertThat(rig.accounts()).isEqualTo(before);
    mapper.close();
  }

  /** Wants to see the unmap of whatever it saw mapped. */
  private static final class WatchfulLayer implements LayerBackend {
    @Override
    public String name() {
      return "watchful";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
          next.map(state, phys, length, flags, undo);
          state.flags |= MapFlags.NEEDS_UNMAP;
        }

        @Override
        public void unmap(MappingState state, Retirement batch) {}
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void publishingAgainCopiesNothingOverWhatTheDeviceOwns() {
    Rig rig = new Rig(Rig.Kind.BOUNCE_TRANSLATING);
    FakeBlock block = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    for (int attributes : new int[] {NONE, DmaAttributes.OVERWRITE}) {
      rig.memory.put(block.phys(0), (byte) 1);
      try (IovaReservation window = rig.mapper.newReservation()) {
        window.tryAlloc(block.phys(0), PAGE, BIDIRECTIONAL, attributes);
        window.link(0, block.phys(0), PAGE);
        window.sync(0, PAGE);
        assertThat(rig.deviceRead(window.address()) == 1).isEqualTo(attributes == NONE);
        rig.deviceWrite(window.address(), (byte) 2);
        window.sync(0, PAGE);
        assertThat(rig.deviceRead(window.address())).as("published again").isEqualTo((byte) 2);
        rig.memory.put(block.phys(0), (byte) 3);
        window.syncForDevice(0, PAGE);
        assertThat(rig.deviceRead(window.address())).as("handed over again").isEqualTo((byte) (attributes == NONE ? 3 : 2));
      }
    }
  }
}
