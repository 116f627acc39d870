package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaAttributes.REQUIRE_COHERENT;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static io.twostep.dma.LinearPolicy.IN_PLACE;
import static io.twostep.dma.LinearPolicy.MAY_BOUNCE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.PeerLayer;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.MemoryKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One range for the device of exactly the ranges given, or a refusal that changes nothing. */
class LinearMappingTest {
  private static final long PAGE = 4096;

  private static FakeBlock filled(Rig rig, long length, MemoryPlacement placement) {
    FakeBlock block = rig.allocate(length, placement);
    fill(rig, block);
    return block;
  }

  private static void fill(Rig rig, FakeBlock block) {
    for (long i = 0; i < block.length(); i++) {
      rig.memory.put(block.phys(i), (byte) (block.phys(i) * 37 >>> 5));
    }
  }

  private static void expectDeviceReads(Rig rig, LinearMapping linear, Ranges ranges) {
    long at = linear.dmaAddress();
    assertThat(linear.length()).isEqualTo(ranges.bytes());
    for (long[] range : ranges.list) {
      for (long i = 0; i < range[1]; i += 61) {
        assertThat(rig.deviceRead(at + i)).isEqualTo(rig.memory.get(range[0] + i));
      }
      assertThat(rig.deviceRead(at + range[1] - 1)).isEqualTo(rig.memory.get(range[0] + range[1] - 1));
      at += range[1];
    }
  }

  private static void refused(Rig rig, Ranges ranges, int attributes, LinearPolicy policy, Reason reason, String... words) {
    String before = rig.accounts();
    try (LinearMapping linear = rig.mapper.newLinear()) {
      assertThatThrownBy(() -> linear.map(ranges, BIDIRECTIONAL, attributes, policy))
          .isInstanceOfSatisfying(
              DmaMappingException.class,
              e -> {
                assertThat(e.reason()).isEqualTo(reason);
                assertThat(words).allSatisfy(word -> assertThat(e).hasMessageContaining(word));
              });
      assertThat(rig.accounts()).isEqualTo(before);
      assertThatThrownBy(linear::unmap).isInstanceOf(IllegalStateException.class);
    }
  }

  private static void mapped(Rig rig, Ranges ranges, LinearPolicy policy) {
    String before = rig.accounts();
    try (LinearMapping linear = rig.mapper.newLinear();
        InvalidationBatch batch = rig.mapper.newBatch()) {
      for (int round = 0; round < 2; round++) {
        long address = linear.map(ranges, BIDIRECTIONAL, NONE, policy);
        assertThat(address).isEqualTo(linear.dmaAddress());
        ranges.list.forEach(range -> rig.memory.put(range[0], (byte) (rig.memory.get(range[0]) + 5)));
        linear.syncForDevice(0, linear.length());
        expectDeviceReads(rig, linear, ranges);
        long last = linear.length() - 1;
        long[] end = ranges.list.getLast();
        rig.deviceWrite(address + last, (byte) (90 + round));
        linear.syncForCpu(last, 1);
        assertThat(rig.memory.get(end[0] + end[1] - 1)).isEqualTo((byte) (90 + round));
        rig.deviceWrite(address + last, (byte) (70 + round));
        if (round == 0) {
          linear.unmap();
        } else {
          linear.unmap(batch);
          batch.complete();
        }
        assertThat(rig.memory.get(end[0] + end[1] - 1)).isEqualTo((byte) (70 + round));
        assertThat(rig.accounts()).isEqualTo(before);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSingleRangeIsAlwaysLinear(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.CONTIGUOUS);
    for (LinearPolicy policy : LinearPolicy.values()) {
      mapped(rig, Ranges.of(block.phys(100), 9000), policy);
      mapped(rig, Ranges.of(block.phys(100), 1000, block.phys(1100), PAGE), policy);
    }
  }

  @ParameterizedTest
  @EnumSource
  void anEmptySourceIsAMistake(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    String before = rig.accounts();
    try (LinearMapping linear = rig.mapper.newLinear()) {
      assertThatThrownBy(() -> linear.map(new Ranges(), TO_DEVICE, NONE, MAY_BOUNCE))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("nvme0");
    }
    assertThat(rig.accounts()).isEqualTo(before);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST", "BOUNCE_TRANSLATING", "BOUNCE_HOST"})
  void scatteredPagesBehindTranslationAreOneRange(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = filled(rig, 8 * PAGE, MemoryPlacement.SCATTERED);
    mapped(rig, Ranges.of(block.phys(0x300), PAGE - 0x300, block.phys(3 * PAGE), PAGE, block.phys(PAGE), 0x123), IN_PLACE);
  }

  @Test
  void moreRangesThanOneRunAreOneRangeToo() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = filled(rig, 600 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = new Ranges();
    for (int i = 599; i >= 0; i--) {
      ranges.add(block.phys(i * PAGE), PAGE);
    }
    mapped(rig, ranges, IN_PLACE);
  }

  @Test
  void neverCutToTheLimitsOfEntries() {
    DeviceLimits limits = DeviceLimits.UNLIMITED.withMaxSegmentLength(3000).withSegmentBoundaryMask(0x1FFF).withMaxSegments(1);
    Rig rig = new Rig(Rig.Kind.TRANSLATING, 4096, limits);
    FakeBlock block = filled(rig, 8 * PAGE, MemoryPlacement.SCATTERED);
    mapped(rig, Ranges.of(block.phys(0), PAGE, block.phys(3 * PAGE), PAGE, block.phys(PAGE), PAGE), IN_PLACE);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST", "BOUNCE_TRANSLATING", "PEER_TRANSLATING"})
  @Tag("breaks:never-mapped")
  void anInnerEdgeOffTheGranuleIsNotLinear(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
    refused(rig, Ranges.of(block.phys(0), PAGE - 1, block.phys(2 * PAGE), PAGE), NONE, IN_PLACE, Reason.NOT_LINEAR, "nvme0", "2 ranges", "inner edge", "0x1000");
    refused(rig, Ranges.of(block.phys(0), PAGE, block.phys(2 * PAGE + 8), 8), NONE, IN_PLACE, Reason.NOT_LINEAR, "inner edge");
  }

  @Test
  @Tag("breaks:never-mapped")
  void aGranuleLargerThanTheFrameAsksForItsOwnEdges() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING, 16384, DeviceLimits.UNLIMITED);
    FakeBlock block = filled(rig, 16 * PAGE, MemoryPlacement.CONTIGUOUS);
    refused(rig, Ranges.of(block.phys(0), PAGE, block.phys(4 * PAGE), PAGE), NONE, IN_PLACE, Reason.NOT_LINEAR, "0x4000");
    mapped(rig, Ranges.of(block.phys(0), 4 * PAGE, block.phys(8 * PAGE), PAGE), IN_PLACE);
  }

  @Test
  @Tag("breaks:torn-down-twice")
  void withoutTranslationOnlyAddressesThatFollowEachOtherAreLinear() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    FakeBlock first = filled(rig, PAGE, MemoryPlacement.CONTIGUOUS);
    FakeBlock second = filled(rig, PAGE, MemoryPlacement.CONTIGUOUS);
    assertThat(second.phys(0)).as("two blocks side by side").isEqualTo(first.phys(0) + PAGE);
    mapped(rig, Ranges.of(first.phys(8), PAGE - 8, second.phys(0), 100), IN_PLACE);
    refused(rig, Ranges.of(second.phys(0), PAGE, first.phys(0), PAGE), NONE, IN_PLACE, Reason.NOT_LINEAR, "follow each other", "transfer");
    refused(rig, Ranges.of(first.phys(0), PAGE, second.phys(1), 100), NONE, IN_PLACE, Reason.NOT_LINEAR);
    FakeBlock scattered = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
    refused(rig, Ranges.of(scattered.phys(0), PAGE, scattered.phys(PAGE), PAGE), NONE, IN_PLACE, Reason.NOT_LINEAR);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"PEER_DIRECT", "PEER_TRANSLATING", "PEER_BOUNCE_TRANSLATING"})
  @Tag("breaks:never-mapped+torn-down-twice")
  void peersByBusAddressAreLinearOnlyByThemselves(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    fill(rig, rig.bus);
    FakeBlock block = filled(rig, PAGE, MemoryPlacement.CONTIGUOUS);
    mapped(rig, Ranges.of(rig.bus.phys(PAGE), PAGE, rig.bus.phys(2 * PAGE), 50), IN_PLACE);
    try (LinearMapping linear = rig.mapper.newLinear()) {
      assertThat(linear.map(Ranges.of(rig.bus.phys(3), 50), TO_DEVICE, NONE, IN_PLACE)).isEqualTo(rig.bus.phys(3) + PeerLayer.BUS);
    }
    for (LinearPolicy policy : LinearPolicy.values()) {
      refused(rig, Ranges.of(rig.bus.phys(0), PAGE, rig.bus.phys(2 * PAGE), PAGE), NONE, policy, Reason.NOT_LINEAR);
      refused(rig, Ranges.of(rig.bus.phys(0), PAGE, block.phys(0), PAGE), NONE, policy, Reason.NOT_LINEAR, "bus address");
      refused(rig, Ranges.of(block.phys(0), PAGE, rig.bus.phys(0), PAGE), NONE, policy, Reason.NOT_LINEAR, "bus address");
    }
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"PEER_TRANSLATING", "PEER_HOST", "PEER_BOUNCE_TRANSLATING"})
  void peersThroughTheHostBridgeShareTheWindowWithMemory(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    fill(rig, rig.bridge);
    FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
    mapped(rig, Ranges.of(block.phys(0), PAGE, rig.bridge.phys(2 * PAGE), PAGE, rig.bridge.phys(0), PAGE, block.phys(PAGE), 9), IN_PLACE);
  }

  @Test
  @Tag("breaks:never-mapped")
  void unreachablePeersAreRefusedForWhatTheyAre() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    refused(rig, Ranges.of(rig.far.phys(0), PAGE), NONE, MAY_BOUNCE, Reason.PEER_UNREACHABLE);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"BOUNCE_DIRECT", "BOUNCE_TRANSLATING", "BOUNCE_HOST", "PEER_BOUNCE_DIRECT", "PEER_BOUNCE_TRANSLATING"})
  void whatIsInPiecesIsCopiedTogetherIfAskedFor(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = filled(rig, 8 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = Ranges.of(block.phys(0x123), 77, block.phys(3 * PAGE + 8), PAGE - 8, block.phys(PAGE + 5), 1000);
    mapped(rig, ranges, MAY_BOUNCE);
    try (LinearMapping linear = rig.mapper.newLinear()) {
      long address = linear.map(ranges, BIDIRECTIONAL, NONE, MAY_BOUNCE);
      assertThat((address ^ block.phys(0x123)) & PAGE - 1).as("low bits of the first range").isZero();
      rig.deviceWrite(address + 77, (byte) 1);
      rig.deviceWrite(address + 76, (byte) 2);
      byte before = rig.memory.get(block.phys(0x123 + 76));
      linear.syncForCpu(77, 5);
      assertThat(rig.memory.get(block.phys(3 * PAGE + 8))).isEqualTo((byte) 1);
      assertThat(rig.memory.get(block.phys(0x123 + 76))).as("not asked for").isEqualTo(before);
    }
    assertThat(rig.memory.get(block.phys(0x123 + 76))).isEqualTo((byte) 2);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"BOUNCE_DIRECT", "BOUNCE_TRANSLATING"})
  @Tag("breaks:never-mapped+torn-down-twice")
  void copyingTogetherHasLimits(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = filled(rig, (Rig.SLOTS + 4) * PAGE, MemoryPlacement.SCATTERED);
    Ranges tooMany = new Ranges();
    for (int i = 0; i < Rig.SLOTS + 2; i++) {
      tooMany.add(block.phys(i * PAGE + 1), PAGE - 1);
    }
    refused(rig, tooMany, NONE, MAY_BOUNCE, Reason.BOUNCE_TOO_LARGE);
    Ranges two = Ranges.of(block.phys(1), 8, block.phys(PAGE + 1), 8);
    refused(rig, two, REQUIRE_COHERENT, MAY_BOUNCE, Reason.BOUNCE_FORBIDDEN);
  }

  @Test
  @Tag("breaks:never-mapped+torn-down-twice")
  void withoutALayerThatBouncesNothingIsCopiedTogether() {
    for (Rig.Kind kind : new Rig.Kind[] {Rig.Kind.DIRECT, Rig.Kind.TRANSLATING, Rig.Kind.HOST}) {
      Rig rig = new Rig(kind);
      FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
      refused(rig, Ranges.of(block.phys(1), 8, block.phys(PAGE + 1), 8), NONE, MAY_BOUNCE, Reason.NOT_LINEAR, "nvme0: cannot map 2 ranges, the first of them 0x", "bounce layer");
    }
  }

  @Test
  @Tag("breaks:source-changed")
  void aSourceThatChangesBeforeItIsCopiedTogetherIsRefused() {
    Rig rig = new Rig(Rig.Kind.BOUNCE_TRANSLATING);
    FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = Ranges.of(block.phys(1), 8, block.phys(PAGE + 1), 8);
    String before = rig.accounts();
    ranges.onRewind =
        () -> {
          if (ranges.passes == 2) {
            ranges.add(block.phys(0), 1);
          }
        };
    try (LinearMapping linear = rig.mapper.newLinear()) {
      assertThatThrownBy(() -> linear.map(ranges, TO_DEVICE, NONE, MAY_BOUNCE)).isInstanceOf(IllegalArgumentException.class);
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @Test
  void theSourceMayChangeOnceItIsMapped() {
    for (Rig.Kind kind : new Rig.Kind[] {Rig.Kind.TRANSLATING, Rig.Kind.BOUNCE_TRANSLATING}) {
      Rig rig = new Rig(kind);
      FakeBlock block = filled(rig, 4 * PAGE, MemoryPlacement.SCATTERED);
      Ranges ranges = Ranges.of(block.phys(0), PAGE, block.phys(PAGE), PAGE);
      try (LinearMapping linear = rig.mapper.newLinear()) {
        linear.map(ranges, BIDIRECTIONAL, NONE, IN_PLACE);
        rig.deviceWrite(linear.dmaAddress() + PAGE, (byte) 33);
        ranges.clear();
        linear.syncForCpu(0, 2 * PAGE);
        assertThat(rig.memory.get(block.phys(PAGE))).isEqualTo((byte) 33);
        linear.unmap();
      }
    }
  }

  @Test
  @Tag("breaks:never-mapped+overlapping-write+torn-down-twice")
  void randomRequestsAreLinearExactlyWhenTheRuleSaysSo() throws InterruptedException {
    Seeds.run(
        20261121,
        random -> {
          for (Rig.Kind kind : Rig.Kind.values()) {
            Rig rig = new Rig(kind);
            FakeBlock scattered = filled(rig, 16 * PAGE, MemoryPlacement.SCATTERED);
            FakeBlock contiguous = filled(rig, 16 * PAGE, MemoryPlacement.CONTIGUOUS);
            for (int n = 0; n < 150; n++) {
              Ranges ranges = new Ranges();
              long end = 0;
              int count = 1 + random.nextInt(5);
              for (int i = 0; i < count; i++) {
                FakeBlock block = random.nextBoolean() ? scattered : contiguous;
                long from = end != 0 && random.nextInt(3) == 0 ? end : block.phys(random.nextInt(15) * PAGE + (random.nextInt(3) == 0 ? random.nextInt(4096) : 0));
                long whole = PAGE - (from & PAGE - 1);
                long bytes = random.nextInt(3) == 0 ? 1 + random.nextInt((int) whole) : whole;
                if (rig.memory.regionOf(from, bytes).kind() != MemoryKind.RAM) {
                  continue;
                }
                ranges.add(from, bytes);
                end = from + bytes;
              }
              if (!ranges.list.isEmpty()) {
                check(rig, ranges);
              }
            }
          }
        });
  }

  /** The rule, said once more: edges on the granule behind translation, addresses in a row without; adjacent ranges of one block are one. */
  private static boolean isLinear(Rig rig, Ranges ranges) {
    for (int i = 1; i < ranges.list.size(); i++) {
      long[] before = ranges.list.get(i - 1);
      long[] after = ranges.list.get(i);
      long end = before[0] + before[1];
      boolean joined = end == after[0] && rig.memory.regionOf(before[0], before[1]) == rig.memory.regionOf(after[0], after[1]);
      boolean fits = rig.kind.translates ? ((end | after[0]) & rig.granule - 1) == 0 : end == after[0];
      if (!joined && !fits) {
        return false;
      }
    }
    return true;
  }

  private static void check(Rig rig, Ranges ranges) {
    boolean linear = isLinear(rig, ranges);
    if (linear && (!rig.kind.bounces || rig.kind.translates)) {
      mapped(rig, ranges, IN_PLACE);
    } else if (!linear && !rig.kind.bounces) {
      refused(rig, ranges, NONE, IN_PLACE, Reason.NOT_LINEAR);
      refused(rig, ranges, NONE, MAY_BOUNCE, Reason.NOT_LINEAR);
    }
    if (rig.kind.bounces && isDisjoint(ranges)) {
      mapped(rig, ranges, MAY_BOUNCE);
    }
  }

  /** What is copied back twice has no one answer. */
  private static boolean isDisjoint(Ranges ranges) {
    for (int i = 0; i < ranges.list.size(); i++) {
      for (int j = 0; j < i; j++) {
        long[] a = ranges.list.get(i);
        long[] b = ranges.list.get(j);
        if (a[0] < b[0] + b[1] && b[0] < a[0] + a[1]) {
          return false;
        }
      }
    }
    return true;
  }
}
