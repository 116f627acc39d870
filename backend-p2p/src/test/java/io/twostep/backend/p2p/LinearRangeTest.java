package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.machine.model.FailNth;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One range for the device of several pieces of memory and peers: the bytes go where they belong, on every stack. */
class LinearRangeTest {
  private static final int PAGE = Rig.PAGE;

  /** Writes and reads across all pieces through the one range, with ownership moved by part and by unmap. */
  private static void transferBytes(Rig rig, MemoryBlock block, TestRanges ranges, LinearPolicy policy) {
    String before = rig.accounts();
    try (LinearMapping linear = rig.mapper.newLinear()) {
      int length = (int) ranges.bytes();
      byte[] given = Rig.pattern(length, 3);
      scatter(block, ranges, given);
      long address = linear.map(ranges, BIDIRECTIONAL, NONE, policy);
      assertThat(rig.device.tryRead(address, length)).isEqualTo(given);
      byte[] answered = Rig.pattern(length, 4);
      assertThat(rig.device.tryWrite(address, answered)).isTrue();
      int middle = length / 2;
      linear.syncForCpu(middle, 700);
      assertThat(Arrays.copyOfRange(gather(block, ranges), middle, middle + 700)).isEqualTo(Arrays.copyOfRange(answered, middle, middle + 700));
      byte[] again = Rig.pattern(length, 5);
      linear.syncForCpu(0, length);
      assertThat(gather(block, ranges)).isEqualTo(answered);
      scatter(block, ranges, again);
      linear.syncForDevice(0, length);
      assertThat(rig.device.tryRead(address, length)).isEqualTo(again);
      assertThat(rig.device.tryWrite(address, given)).isTrue();
      linear.unmap();
      assertThat(gather(block, ranges)).isEqualTo(given);
      if (rig.kind.translates) {
        assertThat(rig.device.tryRead(address, 1)).as("after unmap").isNull();
      }
    }
    rig.mapper.awaitQuiescence();
    assertThat(rig.accounts()).isEqualTo(before);
  }

  private static void scatter(MemoryBlock block, TestRanges ranges, byte[] bytes) {
    int at = 0;
    for (TestRanges.Range range : ranges.list) {
      long offset = offsetOf(block, range.phys());
      MemorySegment.copy(
          MemorySegment.ofArray(bytes), at, block.segment(), offset, range.length());
      at += (int) range.length();
    }
  }

  private static byte[] gather(MemoryBlock block, TestRanges ranges) {
    byte[] bytes = new byte[(int) ranges.bytes()];
    int at = 0;
    for (TestRanges.Range range : ranges.list) {
      byte[] part = Rig.bytesOf(block, offsetOf(block, range.phys()), (int) range.length());
      System.arraycopy(part, 0, bytes, at, part.length);
      at += part.length;
    }
    return bytes;
  }

  private static long offsetOf(MemoryBlock block, long phys) {
    for (long page = 0; page < block.length(); page += PAGE) {
      long low = phys - block.phys(page);
      if (low >= 0 && low < PAGE) {
        return page + low;
      }
    }
    throw new AssertionError("not of the block");
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "UNTRUSTED"})
  @Tag("breaks:device-used-unmapped")
  void scatteredPagesAreOneRangeBehindTranslation(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(5 * PAGE);
      TestRanges ranges = TestRanges.of(block.phys(0x340), PAGE - 0x340, block.phys(3 * PAGE), PAGE, block.phys(PAGE), PAGE, block.phys(2 * PAGE), 0x420);
      transferBytes(rig, block, ranges, LinearPolicy.IN_PLACE);
      assertReason(
          Reason.NOT_LINEAR,
          () -> rig.mapper.newLinear().map(TestRanges.of(block.phys(0), 64, block.phys(PAGE), 64), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE));
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT_FORCED", "DIRECT_NOT_SNOOPING", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "UNTRUSTED"})
  @Tag("breaks:device-used-unmapped")
  void piecesAreOneRangeWhereTheyMayBeBounced(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(5 * PAGE);
      TestRanges ranges = TestRanges.of(block.phys(0x123), 77, block.phys(3 * PAGE + 9), PAGE - 9, block.phys(PAGE), PAGE, block.phys(2 * PAGE + 3), 1);
      transferBytes(rig, block, ranges, LinearPolicy.MAY_BOUNCE);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT_FORCED", "IOMMU_FORCED", "UNTRUSTED"})
  void whicheverCallFailsNothingIsLeft(Kind kind) {
    try (Rig rig = new Rig(kind);
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      TestRanges ranges = TestRanges.of(block.phys(1), 64, block.phys(PAGE + 5), PAGE - 5, block.phys(2 * PAGE), PAGE);
      linear.map(ranges, BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE);
      linear.unmap();
      String before = rig.accounts();
      boolean failed = true;
      for (int n = 1; failed; n++) {
        rig.counting.failIn = n;
        failed = false;
        try {
          linear.map(ranges, BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE);
        } catch (DmaMappingException e) {
          failed = true;
        }
        rig.counting.failIn = 0;
        if (!failed) {
          linear.unmap();
        }
        assertThat(rig.accounts()).as("after call %d failed", n).isEqualTo(before);
      }
    }
  }

  @Test
  void moreThanThePoolHoldsIsRefused() {
    try (Rig rig = new Rig(Kind.IOMMU_FORCED)) {
      MemoryBlock block = rig.allocate(8L << 20);
      TestRanges ranges = new TestRanges();
      for (long at = 0; at < block.length(); at += PAGE) {
        ranges.add(block.phys(at), PAGE - 64);
      }
      String before = rig.accounts();
      try (LinearMapping linear = rig.mapper.newLinear()) {
        assertReason(Reason.BOUNCE_TOO_LARGE, () -> linear.map(ranges, BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE));
      }
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @Test
  void memoryAndPeersBehindTheHostBridgeAreOneRange() {
    try (Rig rig = new Rig(Kind.IOMMU);
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      long peer = rig.behindMemory.phys();
      TestRanges ranges = TestRanges.of(block.phys(0), PAGE, peer + 7 * PAGE, PAGE, peer, 2 * PAGE, block.phys(PAGE), 100);
      long address = linear.map(ranges, BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
      byte[] bytes = Rig.pattern(4 * PAGE + 100, 9);
      assertThat(rig.device.tryWrite(address, bytes)).isTrue();
      assertThat(rig.behind.memory(7 * PAGE, PAGE)).isEqualTo(Arrays.copyOfRange(bytes, PAGE, 2 * PAGE));
      assertThat(rig.behind.memory(0, 2 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 2 * PAGE, 4 * PAGE));
      linear.syncForCpu(0, linear.length());
      assertThat(Rig.bytesOf(block, 0, PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 0, PAGE));
      assertThat(Rig.bytesOf(block, PAGE, 100)).isEqualTo(Arrays.copyOfRange(bytes, 4 * PAGE, 4 * PAGE + 100));
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU", "IOMMU_FORCED"})
  void busPeersAreOneRangeOnlyIfTheirBusAddressesFollowEachOther(Kind kind) {
    try (Rig rig = new Rig(kind);
        LinearMapping linear = rig.mapper.newLinear()) {
      long peer = rig.nearMemory.phys();
      long address = linear.map(TestRanges.of(peer + PAGE, 100, peer + PAGE + 100, 200), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
      assertThat(address).isEqualTo(rig.nearMemory.range().busAddress() + PAGE);
      byte[] bytes = Rig.pattern(300, 2);
      assertThat(rig.device.tryWrite(address, bytes)).isTrue();
      assertThat(rig.near.memory(PAGE, 300)).isEqualTo(bytes);
      linear.unmap();
      MemoryBlock block = rig.allocate(PAGE);
      for (LinearPolicy policy : LinearPolicy.values()) {
        assertReason(Reason.NOT_LINEAR, () -> linear.map(TestRanges.of(peer, PAGE, peer + 2 * PAGE, PAGE), BIDIRECTIONAL, NONE, policy));
        assertReason(Reason.NOT_LINEAR, () -> linear.map(TestRanges.of(peer, PAGE, block.phys(0), PAGE), BIDIRECTIONAL, NONE, policy));
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped+torn-down-twice")
  void aLinearRangeWithPeersIsTakenBackWithThem() {
    try (Rig rig = new Rig(Kind.IOMMU);
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(PAGE);
      AtomicInteger told = new AtomicInteger();
      linear.onRevoke(told::incrementAndGet);
      long address = linear.map(TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke().toCompletableFuture();
      assertThat(revoked).isCompleted();
      assertThat(told).hasValue(1);
      assertThat(rig.device.tryWrite(address, Rig.pattern(64, 1))).isFalse();
      assertReason(Reason.REVOKED, () -> linear.syncForCpu(0, 1));
      linear.unmap();
      assertThatThrownBy(linear::unmap).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void whatCannotBeInvalidatedIsQuarantined() {
    try (Rig rig = new Rig(Kind.IOMMU);
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      linear.map(TestRanges.of(block.phys(PAGE), PAGE, block.phys(0), PAGE), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertReason(Reason.QUARANTINED, linear::unmap);
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      rig.slot.reset();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
    }
  }
}
