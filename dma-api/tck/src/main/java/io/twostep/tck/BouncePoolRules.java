package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E12j and E9d of memory that must be bounced: a pool that is full, too small or too far away says which, loses nothing, and harms no request that is under way. */
public interface BouncePoolRules extends TckFixture {
  /** A range as messages write it. */
  Pattern RANGE = Pattern.compile("0x([0-9a-f]+)\\+0x([0-9a-f]+)");

  /** Why a test of pools has nothing to prove. */
  String NOT_BOUNCED = "the stack does not bounce whatever is mapped at crooked edges";

  /** Tell whether whatever is mapped at crooked edges is bounced. */
  private boolean bounces() {
    return has(Behavior.BOUNCES) && !has(Behavior.IN_PLACE);
  }

  /** Return the bytes of a request of which at least the edges are bounced. */
  private long bounced(TckRig rig) {
    return has(Behavior.TRANSLATES) ? 3 * rig.mapper().limits().granule() + 700 : Math.min(rig.mapper().limits().maxMappingLength() / 4, 1 << 20);
  }

  /** Allocate memory of which crooked parts are bounced; where that is so because of where memory lies, there may have to be a lot of it. */
  private MemoryBlock bouncedMemory(TckRig rig, long length) {
    for (int i = 0; i < 8; i++) {
      MemoryBlock block = rig.memory(length);
      try (DmaMapping mapping = rig.map(block, crooked(), rounded(5000), DmaDirection.TO_DEVICE)) {
        if (mapping.needsSync()) {
          return block;
        }
      }
      rig.memory(16 << 20);
    }
    throw new AssertionError("the stack declares BOUNCES, and maps 128 MiB in place: declare IN_PLACE, or limit the device's reach");
  }

  /** E12j. */
  @Test
  @Tag("breaks:overlapping-write+too-many-overlaps")
  default void e12jFullBouncePoolSaysSoAndHarmsNobody() {
    assumeTrue(bounces(), NOT_BOUNCED);
    int length = (int) rounded(9000);
    MemoryBlock own = bouncedMemory(rig(), 64 << 10);
    byte[] expected = Bytes.of(own, 0, own.length());
    byte[] written = Bytes.random(3000, 1);
    MemoryBlock others = bouncedMemory(rig(), 2 * (bounced(rig()) + crooked()));
    DmaMapping underWay = rig().map(own, crooked(), length, DmaDirection.BIDIRECTIONAL);
    rig().device().write(underWay.dmaAddress() + 500, written);
    System.arraycopy(written, 0, expected, (int) crooked() + 500, written.length);

    List<DmaMapping> fillers = new ArrayList<>();
    requireFull(rig(), others, fillers);
    int most = fillers.size();
    long held = rig().machine().bytesHeld();
    int live = rig().mapper().liveMappings();
    for (int i = 0; i < 20; i++) {
      requireFull(rig(), others, fillers);
      requireRefusedTransfer(own, others);
    }
    assertThat(fillers).as("mappings of a full pool").hasSize(most);
    assertThat(rig().mapper().liveMappings()).as("handles that hold something, once some were refused").isEqualTo(live);
    assertThat(rig().machine().bytesHeld()).as("bytes held once some were refused").isEqualTo(held);

    byte[] seen = Bytes.of(others, crooked(), bounced(rig()));
    for (DmaMapping filler : List.of(fillers.getFirst(), fillers.getLast())) {
      assertThat(rig().device().read(filler.dmaAddress(), seen.length)).as("what the device reads of a request under way").isEqualTo(seen);
    }
    byte[] device = rig().device().read(underWay.dmaAddress(), length);
    assertThat(device).as("what the device sees of the request under way").isEqualTo(Arrays.copyOfRange(expected, (int) crooked(), (int) crooked() + length));

    fillers.removeLast().close();
    requireRefusedTransfer(own, others);
    requireFull(rig(), others, fillers);
    assertThat(fillers).as("mappings once the room of one came back").hasSize(most);
    fillers.forEach(DmaMapping::close);
    fillers.clear();
    underWay.close();
    assertThat(Bytes.of(own, 0, own.length())).as("the block of the request that was under way").isEqualTo(expected);
    requireFull(rig(), others, fillers);
    assertThat(fillers).as("mappings of a pool that was full and emptied").hasSizeGreaterThanOrEqualTo(most);
    fillers.forEach(DmaMapping::close);
  }

  /** E12n. */
  @Test
  @Tag("breaks:too-many-overlaps")
  default void e12nSlotsThatIdleHandlesKeepAreThereForOthers() {
    assumeTrue(bounces(), NOT_BOUNCED);
    MemoryBlock block = bouncedMemory(rig(), bounced(rig()) + crooked());
    List<DmaMapping> idle = new ArrayList<>();
    requireFull(rig(), block, idle);
    idle.forEach(DmaMapping::unmap);
    for (int round = 0; round < RefusalRules.SETTLING; round++) {
      idle.forEach(mapping -> mapping.map(block.phys(crooked()), bounced(rig()), DmaDirection.TO_DEVICE, 0));
      idle.forEach(DmaMapping::unmap);
    }
    List<DmaMapping> others = new ArrayList<>();
    requireFull(rig(), block, others);
    assertThat(others).as("mappings beside %d idle handles that had the whole pool in turn", idle.size()).hasSizeGreaterThanOrEqualTo(idle.size());
    others.forEach(DmaMapping::close);
    idle.forEach(DmaMapping::close);
  }

  /** Map until the pool is full. */
  private void requireFull(TckRig rig, MemoryBlock block, List<DmaMapping> live) {
    long length = bounced(rig);
    long at = block.phys(crooked());
    while (live.size() < 100_000) {
      DmaMappingException refusal =
          catchThrowableOfType(DmaMappingException.class, () -> live.add(rig.mapper().map(at, length, DmaDirection.TO_DEVICE, 0)));
      if (refusal != null) {
        requireTold(rig, Reason.BOUNCE_EXHAUSTED, refusal, at, length);
        assertThat(refusal.isRetryable()).as("a full pool can pass").isTrue();
        return;
      }
    }
    throw new AssertionError("100,000 mappings do not fill the pool: give it less memory in the settings of the test");
  }

  /** A request whose ranges find no room is refused as a whole, and leaves their bytes alone. */
  private void requireRefusedTransfer(MemoryBlock own, MemoryBlock others) {
    byte[] before = Bytes.of(own, 0, own.length());
    Ranges source =
        new Ranges()
            .add(own.phys(32 << 10), rounded(300))
            .add(own.phys(spaced(40 << 10) + crooked()), rounded(5000))
            .add(others.phys(crooked()), bounced(rig()))
            .add(others.phys(2 * crooked() + bounced(rig())), bounced(rig()));
    try (DmaTransfer transfer = rig().mapper().newTransfer()) {
      DmaMappingException refusal =
          catchThrowableOfType(
              DmaMappingException.class, () -> transfer.map(source, DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE, (address, length, kind) -> true));
      assertThat(refusal).as("a request that does not fit").isNotNull();
      assertThat(refusal.reason()).as(refusal.getMessage()).isEqualTo(Reason.BOUNCE_EXHAUSTED);
    }
    assertThat(Bytes.of(own, 0, own.length())).as("the block of a request that was refused").isEqualTo(before);
  }

  /** E12j. */
  @Test
  default void e12jBouncePoolThatIsTooSmallSaysSo() {
    long most = rig().mapper().limits().maxMappingLength();
    assumeTrue(bounces(), NOT_BOUNCED);
    assumeTrue(most <= 32 << 20, () -> "no pool is too small for 0x%x bytes: give it less memory in the settings of the test".formatted(most));
    MemoryBlock block = bouncedMemory(rig(), most * 2 + crooked());
    long at = block.phys(crooked());
    // What else a device may do may be done where the memory lies, in requests that no pool limits.
    DmaDirection direction = has(Behavior.SHOWS_WRITERS_ZEROS) ? DmaDirection.FROM_DEVICE : DmaDirection.TO_DEVICE;
    rig().mapper().map(at, most, direction, 0).close();
    long held = rig().machine().bytesHeld();
    for (int i = 0; i < 20; i++) {
      requireRefused(rig(), Reason.BOUNCE_TOO_LARGE, at, most * 2, () -> rig().mapper().map(at, most * 2, direction, 0));
    }
    assertThat(rig().mapper().liveMappings()).isZero();
    assertThat(rig().machine().bytesHeld()).as("bytes held once some were refused").isEqualTo(held);
    rig().mapper().map(at, most, direction, 0).close();
  }

  /** E9d. */
  @Test
  default void e9dDeviceThatReachesNoMemoryAtAllIsRefusedEverything() {
    long lowest = rig().machine().memory().lowestAddress();
    assumeFalse(has(Behavior.TRANSLATES), "the stack chooses addresses, and some are within any reach");
    assumeTrue(
        lowest != 0 && rig().machine().addressSpaceFor(rig().slot()).offsetWindows().isEmpty(), "this machine has memory at addresses that every device reaches");
    TckRig blind = open(setup().withLimits(DeviceLimits.ofBits(63 - Long.numberOfLeadingZeros(lowest))));
    MemoryBlock block = blind.memory(64 << 10);
    long held = blind.machine().bytesHeld();
    long length = rounded(5000);
    for (int i = 0; i < 20; i++) {
      requireRefused(blind, Reason.OUT_OF_REACH, block.phys(crooked()), length, () -> blind.map(block, crooked(), length, DmaDirection.BIDIRECTIONAL));
    }
    assertThat(blind.mapper().liveMappings()).isZero();
    assertThat(blind.machine().bytesHeld()).as("bytes held once some were refused").isEqualTo(held);
  }

  private static void requireRefused(TckRig rig, Reason reason, long phys, long length, ThrowingCallable work) {
    DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, work);
    assertThat(refusal).as("a refusal: " + reason).isNotNull();
    requireTold(rig, reason, refusal, phys, length);
  }

  /** The reason, and one line as E12k wants it, whose range is the one asked for or the part of it that found no room. */
  private static void requireTold(TckRig rig, Reason reason, DmaMappingException refusal, long phys, long length) {
    String message = refusal.getMessage();
    assertThat(refusal.reason()).as(message).isEqualTo(reason);
    assertThat(refusal.isRetryable()).as("whether %s can pass", reason).isEqualTo(reason == Reason.BOUNCE_EXHAUSTED);
    assertThat(message).as("one line with the device, the rule and what to do").doesNotContain("\n").contains(rig.slot().address().toString()).contains(": ", "; ");
    Matcher range = RANGE.matcher(message);
    assertThat(range.find()).as("a range in hex: %s", message).isTrue();
    long first = Long.parseUnsignedLong(range.group(1), 16);
    assertThat(first).as("the range that was refused: %s", message).isBetween(phys, phys + length - 1);
    assertThat(first + Long.parseUnsignedLong(range.group(2), 16)).as(message).isLessThanOrEqualTo(phys + length);
  }
}
