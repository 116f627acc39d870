package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.TestDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a device sees of links, publications and invalidations, well and badly done. */
class TranslationTest {
  private static final long IOVA = 0x40_0000;
  private static final int TRIES = 400;

  private final List<ModelMachine> machines = new ArrayList<>();

  @AfterEach
  void close() {
    machines.forEach(ModelMachine::close);
  }

  @Test
  void aLinkIsInvisibleUntilItIsPublishedInEveryMode() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.tables.map(IOVA, f.frame(0), TestTables.RW);
      assertThat(f.read(IOVA)).as(mode).isEqualTo(-1);
      f.iommu.publish(IOVA + 4096, IOVA + 8191);
      assertThat(f.read(IOVA)).as(mode).isEqualTo(-1);
      f.iommu.publish(IOVA, IOVA + 4095);
      assertThat(f.read(IOVA)).as(mode).isEqualTo(0);
      assertThat(f.machine.stats().unpublishedFaults()).as(mode).isEqualTo(2);
    }
  }

  @Test
  void publishingBeforeLinkingDoesNotCount() {
    Fixture f = new Fixture("normal");
    f.iommu.publish(IOVA, IOVA + 4095);
    f.tables.map(IOVA, f.frame(0), TestTables.RW);
    assertThat(f.read(IOVA)).isEqualTo(-1);
  }

  @Test
  void invalidationWithdrawsWhatIsGoneAndNothingElse() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      f.link(IOVA + 4096, 1);
      f.link(IOVA + (1 << 21), 2);
      f.tables.unmap(IOVA);
      f.iommu.invalidateAll();
      assertThat(f.read(IOVA + 4096)).as(mode).isEqualTo(1);
      assertThat(f.read(IOVA + (1 << 21))).as(mode).isEqualTo(2);
      f.tables.map(IOVA, f.frame(3), TestTables.RW);
      assertThat(f.read(IOVA)).as("%s: a new link after invalidation needs a new publication", mode).isEqualTo(-1);
      f.iommu.publish(0, -1L);
      assertThat(f.read(IOVA)).as(mode).isEqualTo(3);
    }
  }

  @Test
  void aMissingInvalidationShowsAtOnceInTheAdversarialModeAndIfCachedInTheNormalOne() {
    Fixture off = new Fixture("off");
    off.link(IOVA, 0);
    off.relink(IOVA, 1);
    assertThat(off.seen(IOVA)).containsOnly(1);

    Fixture normal = new Fixture("normal");
    normal.link(IOVA, 0);
    assertThat(normal.read(IOVA)).isZero();
    normal.relink(IOVA, 1);
    assertThat(normal.seen(IOVA)).containsOnly(0);

    Fixture adversarial = new Fixture("adversarial");
    adversarial.link(IOVA, 0);
    adversarial.relink(IOVA, 1);
    assertThat(adversarial.seen(IOVA)).as("never touched by the device before").contains(0, 1);
    assertThat(adversarial.machine.stats().staleAnswers()).isPositive();
    adversarial.iommu.invalidate(IOVA, IOVA + 4095, false);
    assertThat(adversarial.seen(IOVA)).containsOnly(1);
  }

  @Test
  void withoutInvalidationAnUnlinkedPageStaysReachable() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.tables.unmap(IOVA);
    assertThat(f.seen(IOVA)).contains(0, -1);
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    assertThat(f.seen(IOVA)).containsOnly(-1);
  }

  @Test
  void anInvalidationOfTheNeighbourHelpsNothing() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.tables.unmap(IOVA);
    f.iommu.invalidate(IOVA + 4096, IOVA + 8191, true);
    f.iommu.invalidate(0, IOVA - 1, true);
    assertThat(f.seen(IOVA)).contains(0);
  }

  @Test
  void aPermissionTakenAwayWithoutInvalidationIsStillGranted() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.tables.map(IOVA, f.frame(0), TestTables.READ);
    boolean granted = false;
    for (int i = 0; i < TRIES; i++) {
      granted |= f.write(IOVA);
    }
    assertThat(granted).isTrue();
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    for (int i = 0; i < TRIES; i++) {
      assertThat(f.write(IOVA)).isFalse();
    }
  }

  @Test
  void aTableFreedBeforeItsInvalidationIsWalkedAsATable() {
    for (String format : List.of(TableFormat.VTD_SECOND_STAGE, TableFormat.AMD_V1)) {
      Fixture f = new Fixture("adversarial", format);
      f.link(IOVA, 0);
      f.tables.unmap(IOVA);
      long secret = f.frame(5);
      MemoryBlock freed = f.tables.detachLeafTable(IOVA);
      long amdBits = format.equals(TableFormat.AMD_V1) ? 3L << 61 : 0;
      freed.segment().asSlice(0, 4096).setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, secret | 3 | amdBits);
      f.iommu.invalidate(IOVA + 4096, IOVA + 8191, false);
      assertThat(f.seen(IOVA)).as("%s: data of the page's next owner taken for a leaf", format).contains(5);
    }
  }

  @Test
  void anInvalidationThatForgetsTheTablesLeavesTheirPointersCached() {
    for (boolean tablesChanged : new boolean[] {false, true}) {
      Fixture f = new Fixture("adversarial");
      f.link(IOVA, 0);
      f.tables.unmap(IOVA);
      MemoryBlock freed = f.tables.detachLeafTable(IOVA);
      f.iommu.invalidate(IOVA, IOVA + (1 << 21) - 1, tablesChanged);
      freed.segment().setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, f.frame(5) | 3);
      f.tables.map(IOVA, f.frame(1), TestTables.RW);
      f.iommu.publish(IOVA, IOVA + 4095);
      if (tablesChanged) {
        assertThat(f.seen(IOVA)).containsOnly(1);
      } else {
        assertThat(f.seen(IOVA)).contains(5);
      }
    }
  }

  @Test
  void theNormalModeWalksFromCachedTablePointersToo() {
    Fixture f = new Fixture("normal");
    f.link(IOVA, 0);
    assertThat(f.read(IOVA)).isZero();
    f.tables.unmap(IOVA);
    MemoryBlock freed = f.tables.detachLeafTable(IOVA);
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    freed.segment().setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, f.frame(5) | 3);
    f.tables.map(IOVA, f.frame(1), TestTables.RW);
    f.iommu.publish(IOVA, IOVA + 4095);
    assertThat(f.read(IOVA)).isEqualTo(5);
    f.iommu.invalidate(IOVA, IOVA + 4095, true);
    assertThat(f.read(IOVA)).isEqualTo(1);
  }

  @Test
  void aTablePointerThatStaysCachedLeadsToTheLeavesOfTheDetachedTable() {
    for (String mode : List.of("normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      assertThat(f.read(IOVA)).isZero();
      f.tables.detachLeafTable(IOVA);
      f.iommu.invalidate(IOVA, IOVA + (1 << 21) - 1, false);
      assertThat(f.seen(IOVA)).as("%s: the leaves are in the table yet", mode).contains(0);
      if (mode.equals("adversarial")) {
        assertThat(f.machine.stats().staleAnswers()).isPositive();
      }
      f.iommu.invalidate(IOVA, IOVA + (1 << 21) - 1, true);
      assertThat(f.seen(IOVA)).as(mode).containsOnly(-1);
      assertThat(f.machine.stats().unpublishedFaults()).as(mode).isZero();
    }
  }

  @Test
  void adversarialCachesCountAnswersThroughTablesOfThePastAsStale() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    MemoryBlock detached = f.tables.detachLeafTable(IOVA);
    f.tables.map(IOVA, f.frame(1), TestTables.RW);
    f.iommu.publish(IOVA, IOVA + 4095);
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    detached.segment().setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, f.frame(5) | 3);
    int stale = 0;
    for (int i = 0; i < TRIES; i++) {
      stale += f.read(IOVA) == 5 ? 1 : 0;
    }
    assertThat(f.machine.stats().staleAnswers()).isPositive().isEqualTo(stale);
  }

  @Test
  void aCachedPointerToATableOfTodayShowsNothingUnpublished() {
    for (String mode : List.of("normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      assertThat(f.read(IOVA)).isZero();
      f.tables.map(IOVA + 4096, f.frame(1), TestTables.RW);
      assertThat(f.seen(IOVA + 4096)).as(mode).containsOnly(-1);
      assertThat(f.machine.stats().unpublishedFaults()).as(mode).isEqualTo(TRIES);
    }
  }

  @Test
  void anInvalidationOfTablesThatAreStillInTheTreeDoesNotCoverTheirRemoval() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.tables.unmap(IOVA);
    f.iommu.invalidate(IOVA, IOVA + (1 << 21) - 1, true);
    MemoryBlock freed = f.tables.detachLeafTable(IOVA);
    freed.segment().setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, f.frame(5) | 3);
    assertThat(f.seen(IOVA)).as("the pointer may have been cached between invalidation and removal").contains(5);
  }

  @Test
  void refusedAccessesCacheTheTablePointersTheyCameBy() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.tables.unmap(IOVA);
    f.iommu.invalidateAll();
    f.iommu.invalidateAll();
    assertThat(f.read(IOVA)).isEqualTo(-1);
    MemoryBlock freed = f.tables.detachLeafTable(IOVA);
    freed.segment().setAtIndex(ValueLayout.JAVA_LONG, (IOVA >>> 12) & 511, f.frame(5) | 3);
    assertThat(f.seen(IOVA)).contains(5);
    f.iommu.invalidateAll();
    assertThat(f.seen(IOVA)).containsOnly(-1);
  }

  @Test
  void anInvalidationOfAPartOfALargeLeafLeavesTheRestCached() {
    Fixture f = new Fixture("adversarial");
    MemoryBlock large = f.machine.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
    for (int page = 0; page < 512; page++) {
      large.segment().set(ValueLayout.JAVA_LONG, page * 4096L, page);
    }
    f.tables.map(IOVA, large.phys(0), 21, TestTables.RW);
    f.iommu.publish(IOVA, IOVA + (1 << 21) - 1);
    f.tables.unmap(IOVA, 21);
    f.iommu.invalidate(IOVA + 7 * 4096, IOVA + 9 * 4096 - 1, true);
    for (int page = 0; page < 16; page++) {
      List<Integer> seen = f.seen(IOVA + page * 4096L);
      if (page == 7 || page == 8) {
        assertThat(seen).containsOnly(-1);
      } else {
        assertThat(seen).as("page %d", page).contains(page);
      }
    }
    f.iommu.invalidate(IOVA, IOVA + (1 << 21) - 1, false);
    for (int page = 0; page < 512; page++) {
      assertThat(f.read(IOVA + page * 4096L)).isEqualTo(-1);
    }
  }

  @Test
  void largeLeavesTranslateEveryPageAndAreCachedOnce() {
    Fixture f = new Fixture("normal");
    MemoryBlock large = f.machine.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
    f.tables.map(1 << 21, large.phys(2 << 20), 21, TestTables.RW);
    f.iommu.publish(1 << 21, (2 << 21) - 1);
    for (int page = 511; page >= 0; page--) {
      large.segment().set(ValueLayout.JAVA_LONG, (2L << 20) + page * 4096L, page);
      assertThat(f.read((1L << 21) + page * 4096L)).isEqualTo(page);
    }
    assertThat(f.machine.stats().iotlbMisses()).isEqualTo(1);
    assertThat(f.machine.stats().iotlbHits()).isEqualTo(511);
  }

  @Test
  void theDirtyBitIsSetOnceByTheFirstWrite() {
    Fixture f = new Fixture("normal");
    f.link(IOVA, 0);
    f.write(IOVA);
    assertThat(f.tables.item(IOVA, 0) & 0x300).as("nobody tracks").isZero();
    f.iommu.trackDirty(true);
    f.write(IOVA);
    assertThat(f.tables.item(IOVA, 0) & 0x300).as("cached before").isZero();
    f.iommu.invalidateAll();
    f.read(IOVA);
    assertThat(f.tables.item(IOVA, 0) & 0x300).isEqualTo(0x100);
    assertThat(f.write(IOVA)).isTrue();
    assertThat(f.tables.item(IOVA, 0) & 0x300).isEqualTo(0x300);
    f.tables.map(IOVA, f.frame(0), TestTables.RW);
    f.write(IOVA);
    assertThat(f.tables.item(IOVA, 0) & 0x300).as("cached as dirty until invalidated").isZero();
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    f.write(IOVA);
    assertThat(f.tables.item(IOVA, 0) & 0x300).isEqualTo(0x300);
  }

  @Test
  void trackingSetsTheAccessedBitsThatTheFormatHas() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture vtd = new Fixture(mode);
      vtd.link(IOVA, 0);
      vtd.read(IOVA);
      assertThat(vtd.tables.item(IOVA, 0) & 0x100).as("%s: nobody tracks", mode).isZero();
      vtd.iommu.trackDirty(true);
      vtd.iommu.invalidateAll();
      vtd.seen(IOVA);
      for (int level = 0; level < 4; level++) {
        assertThat(vtd.tables.item(IOVA, level) & 0x300).as("%s: level %d of VT-d, pointers too", mode, level).isEqualTo(0x100);
      }
      Fixture amd = new Fixture(mode, TableFormat.AMD_V1);
      amd.link(IOVA, 0);
      amd.iommu.trackDirty(true);
      amd.iommu.invalidateAll();
      amd.seen(IOVA);
      assertThat(amd.tables.item(IOVA, 0) & 0x60).as("%s: AMD", mode).isEqualTo(0x20);
    }
  }

  @Test
  void adversarialCachesLoseTheDirtyBitOfAForgottenInvalidationAndOfNoOther() {
    Fixture f = new Fixture("adversarial");
    f.link(IOVA, 0);
    f.iommu.trackDirty(true);
    int lost = 0;
    for (int round = 0; round < 50; round++) {
      f.tables.map(IOVA, f.frame(0), TestTables.RW);
      f.iommu.invalidate(IOVA, IOVA + 4095, false);
      f.read(IOVA);
      assertThat(f.write(IOVA)).isTrue();
      assertThat(f.tables.item(IOVA, 0) & 0x200).as("a clean translation in the cache sets the bit").isEqualTo(0x200);
      f.tables.map(IOVA, f.frame(0), TestTables.RW);
      f.write(IOVA);
      lost += (f.tables.item(IOVA, 0) & 0x200) == 0 ? 1 : 0;
    }
    assertThat(lost).isPositive();
  }

  @Test
  void faultListenerThatFailsKeepsNoOtherFromHearing() {
    Fixture f = new Fixture("normal");
    List<FaultRecord> heard = new ArrayList<>();
    f.iommu.onFault(
        fault -> {
          throw new IllegalStateException("a listener that fails");
        });
    f.iommu.onFault(heard::add);
    assertThatIllegalStateException().isThrownBy(() -> f.read(IOVA)).withMessage("a listener that fails");
    assertThat(heard).hasSize(1);
  }

  @Test
  void faultsSayWhoWhereAndWhy() {
    Fixture f = new Fixture("normal");
    List<FaultRecord> heard = new ArrayList<>();
    f.iommu.onFault(heard::add);
    f.tables.map(IOVA, f.frame(0), TestTables.READ);
    f.iommu.publish(IOVA, IOVA + 4095);
    assertThat(f.write(IOVA + 8)).isFalse();
    assertThat(f.read(IOVA + 4096)).isEqualTo(-1);
    f.tables.map(IOVA + 8192, f.frame(1), TestTables.RW);
    assertThat(f.read(IOVA + 8192)).as("linked, not synced").isEqualTo(-1);
    assertThat(f.read(1L << 60)).isEqualTo(-1);
    assertThat(f.read(0xfee0_0000L)).as("the interrupt window is never translated").isEqualTo(-1);
    assertThat(heard)
        .containsExactly(
            new FaultRecord(Machines.FIRST, IOVA + 8, true, Cause.PERMISSION),
            new FaultRecord(Machines.FIRST, IOVA + 4096, false, Cause.NOT_PRESENT),
            new FaultRecord(Machines.FIRST, IOVA + 8192, false, Cause.NOT_PUBLISHED),
            new FaultRecord(Machines.FIRST, 1L << 60, false, Cause.BEYOND_WIDTH),
            new FaultRecord(Machines.FIRST, 0xfee0_0000L, false, Cause.RESERVED));
    assertThat(f.machine.faults(f.machine.addressSpaceFor(f.slot))).isEqualTo(heard);
    assertThat(f.machine.stats().faults()).isEqualTo(5);
  }

  @Test
  void anAccessStopsAtTheFirstRefusedPage() {
    Fixture f = new Fixture("off");
    f.link(IOVA, 0);
    MemorySegment buffer = MemorySegment.ofArray(new byte[8192]);
    buffer.fill((byte) 1);
    assertThat(f.device.bus.write(IOVA + 2048, buffer, 0, 4096)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(f.data.segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) 1);
    assertThat(f.machine.faults(f.machine.addressSpaceFor(f.slot)).getFirst().iova()).isEqualTo(IOVA + 4096);
    assertThat(f.device.bus.read(-8, buffer, 0, 16)).as("wraps").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
  }

  @Test
  void everythingFaultsOnceTheRootIsTakenAway() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      assertThat(f.read(IOVA)).isZero();
      f.iommu.clearRoot();
      assertThat(f.read(IOVA)).isEqualTo(-1);
    }
  }

  @Test
  void onAClosedMachineInvalidationIsHarmlessAndPublicationRefused() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      f.machine.close();
      f.iommu.invalidate(IOVA, IOVA + 4095, true);
      assertThatThrownBy(() -> f.iommu.publish(IOVA, IOVA + 4095)).as(mode).hasMessage("machine model is closed");
      assertThat(f.read(IOVA)).as(mode).isEqualTo(-1);
    }
  }

  @Test
  void refusesRootsItCannotWalk() {
    Fixture f = new Fixture("off");
    TableFormat vtd = f.iommu.formats().getFirst();
    long root = f.machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).phys(0);
    assertThatThrownBy(() -> f.iommu.setRoot(vtd, root, 5)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("5 levels");
    assertThatThrownBy(() -> f.iommu.setRoot(vtd, root + 8, 4)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> f.iommu.setRoot(vtd, 0, 4)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("frame of RAM");
    TableFormat other = new TableFormat("other", 3, 4, 4096, 52, true);
    assertThatThrownBy(() -> f.iommu.setRoot(other, root, 4)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aFailedPublicationPublishesNothingAndAFailedInvalidationKeepsEverything() {
    Fixture f = new Fixture("normal");
    f.tables.map(IOVA, f.frame(0), TestTables.RW);
    f.machine.failNth().arm(FailNth.Kind.PUBLISH, 1);
    assertThatThrownBy(() -> f.iommu.publish(IOVA, IOVA + 4095))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.BACKEND));
    assertThat(f.machine.failNth().fired()).isTrue();
    assertThat(f.read(IOVA)).isEqualTo(-1);
    f.iommu.publish(IOVA, IOVA + 4095);
    assertThat(f.read(IOVA)).isZero();
    f.machine.failNth().arm(FailNth.Kind.INVALIDATE, 2);
    f.iommu.invalidate(0, 0, false);
    f.tables.unmap(IOVA);
    assertThatThrownBy(() -> f.iommu.invalidate(IOVA, IOVA + 4095, false))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED));
    assertThat(f.read(IOVA)).as("still cached").isZero();
  }

  @Test
  void everyAccessIsEitherAnsweredByACacheOrWalks() {
    for (String mode : List.of("off", "normal", "adversarial")) {
      Fixture f = new Fixture(mode);
      f.link(IOVA, 0);
      assertThat(f.seen(IOVA)).containsOnly(0);
      f.read(IOVA + 4096);
      assertThat(f.machine.stats().iotlbHits() + f.machine.stats().iotlbMisses()).as(mode).isEqualTo(TRIES + 1);
      f.read(1L << 60);
      f.iommu.clearRoot();
      f.read(IOVA);
      assertThat(f.machine.stats().iotlbHits() + f.machine.stats().iotlbMisses()).as("%s: nothing to walk", mode).isEqualTo(TRIES + 1);
    }
  }

  @Test
  void walksThroughTablesThatNobodyOwnsAreStrays() {
    for (String format : List.of(TableFormat.VTD_SECOND_STAGE, TableFormat.AMD_V1)) {
      Fixture f = new Fixture("normal", format);
      f.link(IOVA, 0);
      assertThat(f.read(IOVA)).isZero();
      f.tables.unmap(IOVA);
      MemoryBlock table = f.tables.detachLeafTable(IOVA);
      f.iommu.invalidate(IOVA, IOVA + 4095, false);
      assertThat(f.read(IOVA)).isEqualTo(-1);
      assertThat(f.machine.stats().strayAccesses()).as(format).isZero();
      table.close();
      assertThat(f.read(IOVA)).as("refused, as an unmapped address should be").isEqualTo(-1);
      assertThat(f.machine.stats().strayAccesses()).as("%s: the table was read after it was freed", format).isEqualTo(1);
    }
  }

  @Test
  void missesCostWhatTheCostModelSays() {
    Fixture f = new Fixture("normal");
    f.link(IOVA, 0);
    f.read(IOVA);
    f.read(IOVA);
    assertThat(f.machine.stats().tableReads()).isEqualTo(4);
    assertThat(f.machine.stats().translationNanos()).isEqualTo(65 + 4 * 197);
    assertThat(f.machine.translationStats(f.machine.addressSpaceFor(f.slot)).simulatedNanos()).isEqualTo(65 + 4 * 197);
    f.iommu.invalidate(IOVA, IOVA + 4095, false);
    f.read(IOVA);
    assertThat(f.machine.stats().tableReads()).as("the leaf table is still cached").isEqualTo(5);
    assertThat(f.machine.stats().translationNanos()).isEqualTo(2 * 65 + 5 * 197 + 850);
  }

  private final class Fixture {
    final ModelMachine machine;
    final TestDevice device = new TestDevice();
    final DeviceSlot slot;
    final TableWalkingIommu iommu;
    final TestTables tables;
    final MemoryBlock data;
    private final MemorySegment word = MemorySegment.ofArray(new long[1]);

    Fixture(String mode) {
      this(mode, TableFormat.VTD_SECOND_STAGE);
    }

    Fixture(String mode, String format) {
      machine = Machines.of("iotlb", mode);
      machines.add(machine);
      slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
      slot.busMaster(true);
      iommu = (TableWalkingIommu) machine.addressSpaceFor(slot).iommu();
      tables = new TestTables(machine.memory(), iommu, format, 4);
      data = machine.memory().allocate(8 * 4096, MemoryPlacement.SCATTERED);
      for (int i = 0; i < 8; i++) {
        data.segment().set(ValueLayout.JAVA_LONG, i * 4096L, i);
      }
    }

    long frame(int index) {
      return data.phys(index * 4096L);
    }

    void link(long iova, int frame) {
      tables.map(iova, frame(frame), TestTables.RW);
      iommu.publish(iova, iova + 4095);
    }

    void relink(long iova, int frame) {
      tables.unmap(iova);
      link(iova, frame);
    }

    /** The number stored at the start of the page the device reaches; -1 if it is refused. */
    int read(long iova) {
      return device.bus.read(iova, word, 0, 8) == BusMaster.OK ? (int) word.get(ValueLayout.JAVA_LONG_UNALIGNED, 0) : -1;
    }

    boolean write(long iova) {
      return device.bus.write(iova, word, 0, 1) == BusMaster.OK;
    }

    List<Integer> seen(long iova) {
      List<Integer> seen = new ArrayList<>();
      for (int i = 0; i < TRIES; i++) {
        int value = read(iova);
        if (!seen.contains(value)) {
          seen.add(value);
        }
      }
      return seen;
    }
  }
}
