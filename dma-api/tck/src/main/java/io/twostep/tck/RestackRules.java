package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E16: a device's stack changes while its mappings live; each is served to its end by the stack that made it. */
public interface RestackRules extends TckFixture {
  /** E16a. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e16aMappingsOfAnEarlierStackAreServedToTheirEnd() {
    int length = (int) Math.max(rounded(6000), 1);
    MemoryBlock block = rig().memory(spaced(128 << 10));
    List<DmaMapping> mappings = new ArrayList<>();
    List<Long> offsets = List.of(crooked(), crooked() + spaced(32 << 10), crooked() + spaced(64 << 10));
    for (int i = 0; i < offsets.size(); i++) {
      mappings.add(rig().map(block, offsets.get(i), length, DmaDirection.BIDIRECTIONAL));
      rig().mapper().restack(rig().stack());
    }
    DmaTransfer transfer = rig().mapper().newTransfer();
    List<Long> addresses = new ArrayList<>();
    transfer.map(
        new Ranges().add(block.phys(crooked() + spaced(96 << 10)), length), DmaDirection.FROM_DEVICE, 0, (address, bytes, kind) -> addresses.add(address));
    for (int i = 0; i < mappings.size(); i++) {
      DmaMapping mapping = mappings.get(i);
      byte[] given = Bytes.random(64, 100 + i);
      mapping.syncForCpu(0, length);
      Bytes.put(block, offsets.get(i), given);
      mapping.syncForDevice(0, length);
      assertThat(rig().device().read(mapping.dmaAddress(), 64)).as("what the device reads of a mapping of stack %d", i).isEqualTo(given);
    }
    for (int i = 0; i < mappings.size(); i++) {
      DmaMapping mapping = mappings.get(i);
      long address = mapping.dmaAddress();
      byte[] written = Bytes.random(length, i);
      rig().device().write(address, written);
      mapping.unmap();
      rig().mapper().awaitQuiescence();
      assertThat(Bytes.of(block, offsets.get(i), length)).as("what the device wrote to a mapping of stack %d", i).isEqualTo(written);
      if (has(Behavior.TRANSLATES)) {
        rig().device().requireRefused(address, "it was unmapped from a stack that was replaced");
      }
      mapping.close();
    }
    byte[] written = Bytes.random(length, 77);
    rig().device().write(addresses.getFirst(), written);
    transfer.close();
    assertThat(Bytes.of(block, crooked() + spaced(96 << 10), length)).isEqualTo(written);
  }

  /** E16b. */
  @Test
  @Tag("breaks:device-used-unmapped+overlapping-write+too-many-overlaps")
  default void e16bAddressesOfEarlierStacksAreNotGivenOutAgain() {
    needs(Behavior.TRANSLATES);
    long unit = unitOf(rig());
    MemoryBlock old = rig().memory(unit * 2);
    MemoryBlock young = rig().memory(unit * 2);
    IovaReservation first = window(old, unit);
    rig().mapper().restack(rig().stack());
    List<IovaReservation> later = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      later.add(window(young, unit));
    }
    for (IovaReservation window : later) {
      assertThat(window.address() - first.address()).as("windows of two stacks").matches(apart -> Math.abs(apart) >= unit * 2);
      assertThat(rig().device().read(window.address(), 64)).isEqualTo(Bytes.of(young, 0, 64));
    }
    assertThat(rig().device().read(first.address(), 64)).as("the window of the stack before").isEqualTo(Bytes.of(old, 0, 64));
    first.link(unit, old.phys(unit), unit);
    first.sync(unit, unit);
    assertThat(rig().device().read(first.address() + unit, 64)).as("what was linked since").isEqualTo(Bytes.of(old, unit, 64));
    long gone = first.address();
    first.close();
    rig().mapper().awaitQuiescence();
    rig().device().requireRefused(gone, "its window was destroyed");
    later.forEach(IovaReservation::close);
  }

  private IovaReservation window(MemoryBlock block, long unit) {
    IovaReservation window = rig().mapper().newReservation();
    window.tryAlloc(block.phys(0), unit * 2, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, block.phys(0), unit);
    window.sync(0, unit);
    return window;
  }

  /** E16c. */
  @Test
  default void e16cTrackingSeesThroughAnotherStackOrItIsRefused() {
    needs(Behavior.TRACKS_WRITES);
    long unit = unitOf(rig());
    MemoryBlock block = rig().memory(unit * 2);
    DirtyTracking tracking = rig().mapper().dirtyTracking();
    tracking.start();
    try {
      rig().mapper().restack(rig().stack());
    } catch (DmaMappingException e) {
      assertThat(e.reason()).as(e.getMessage()).isEqualTo(DmaMappingException.Reason.UNSUPPORTED);
      tracking.stop();
      return;
    }
    IovaReservation window = window(block, unit);
    rig().device().write(window.address(), new byte[8]);
    DirtyBitmap dirty = new DirtyBitmap(window.address(), unit, Math.min(unit, tracking.granularity()));
    tracking.readAndClear(dirty);
    assertThat(dirty.isDirty(window.address())).as("a write through the stack of later").isTrue();
    tracking.stop();
    window.close();
  }
}
