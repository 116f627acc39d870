package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E3e to E3g: ranges that do not lie one behind the other are one range for the device only by being copied together, and only if that was asked for. */
public interface LinearRules extends TckFixture {
  /** E3e. */
  @Test
  default void e3eRangesThatAreNotOneAreCopiedTogetherOrRefused() {
    MemoryBlock block = rig().memory(spaced(64 << 10));
    Ranges source = crookedRanges(block);
    try (LinearMapping linear = rig().mapper().newLinear()) {
      if (has(Behavior.TRANSLATES) && edge() % rig().mapper().limits().granule() == 0) {
        // Edges are whole granules here, which translation puts one behind the other without a copy.
        long address = linear.map(source, DmaDirection.TO_DEVICE, 0, LinearPolicy.IN_PLACE);
        assertThat(rig().device().read(address, (int) source.bytes())).as("the ranges, one behind the other").isEqualTo(contents(block, source));
        return;
      }
      DmaMappingException unasked =
          catchThrowableOfType(DmaMappingException.class, () -> linear.map(source, DmaDirection.TO_DEVICE, 0, LinearPolicy.IN_PLACE));
      assertThat(unasked).as("a copy that nobody asked for").isNotNull();
      assertThat(unasked.reason()).isEqualTo(Reason.NOT_LINEAR);
      if (!has(Behavior.COPIES_TOGETHER)) {
        DmaMappingException refusal =
            catchThrowableOfType(DmaMappingException.class, () -> linear.map(source, DmaDirection.TO_DEVICE, 0, LinearPolicy.MAY_BOUNCE));
        assertThat(refusal).as("a copy that no layer can make").isNotNull();
        assertThat(refusal.reason()).isEqualTo(Reason.NOT_LINEAR);
        return;
      }
      byte[] expected = contents(block, source);
      long address = linear.map(source, DmaDirection.TO_DEVICE, 0, LinearPolicy.MAY_BOUNCE);
      assertThat(linear.length()).isEqualTo(source.bytes());
      assertThat(rig().device().read(address, expected.length)).as("the ranges, one behind the other").isEqualTo(expected);
      linear.unmap();
      DmaMappingException forbidden =
          catchThrowableOfType(
              DmaMappingException.class,
              () -> linear.map(source, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT, LinearPolicy.MAY_BOUNCE));
      assertThat(forbidden).as("a copy of memory that must not be copied").isNotNull();
      assertThat(forbidden.reason()).isIn(Reason.BOUNCE_FORBIDDEN, Reason.COHERENCE_REQUIRED);
    }
  }

  /** E3f. */
  @Test
  default void e3fSyncsByOffsetReachTheRangeThatHasIt() {
    needs(Behavior.COPIES_TOGETHER);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    Ranges source = crookedRanges(block);
    int bytes = (int) source.bytes();
    try (LinearMapping linear = rig().mapper().newLinear()) {
      long address = linear.map(source, DmaDirection.BIDIRECTIONAL, 0, LinearPolicy.MAY_BOUNCE);
      byte[] expected = contents(block, source);
      for (int at = 0; at + 500 <= bytes; at += 1500) {
        byte[] written = Bytes.random(500, at);
        rig().device().write(address + at, written);
        linear.syncForCpu(at, 500);
        System.arraycopy(written, 0, expected, at, 500);
        assertThat(contents(block, source)).as("what the device wrote at 0x%x, and nothing else", at).isEqualTo(expected);
        byte[] given = Bytes.random(500, at + 1);
        put(block, source, at, given);
        linear.syncForDevice(at, 500);
        System.arraycopy(given, 0, expected, at, 500);
        assertThat(rig().device().read(address, bytes)).as("what the CPU handed over at 0x%x", at).isEqualTo(expected);
      }
      linear.unmap();
      assertThat(contents(block, source)).isEqualTo(expected);
    }
  }

  /** E3g. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e3gWhatIsCopiedTogetherComesBackToItsRangesAndNoFurther() {
    needs(Behavior.COPIES_TOGETHER);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    Ranges source = crookedRanges(block);
    byte[] all = Bytes.of(block, 0, block.length());
    try (LinearMapping linear = rig().mapper().newLinear()) {
      long address = linear.map(source, DmaDirection.FROM_DEVICE, 0, LinearPolicy.MAY_BOUNCE);
      assertThat(address & rig().mapper().limits().granule() - 1)
          .as("low bits of the first range")
          .isEqualTo(source.list().getFirst().phys() & rig().mapper().limits().granule() - 1);
      byte[] written = Bytes.random((int) source.bytes(), 5);
      rig().device().write(address, written);
      linear.unmap();
      int at = 0;
      for (Ranges.Range range : source.list()) {
        System.arraycopy(written, at, all, (int) (range.phys() - block.phys(0)), (int) range.length());
        at += (int) range.length();
      }
      assertThat(Bytes.of(block, 0, block.length())).as("the block, its neighbours included").isEqualTo(all);
      if (has(Behavior.TRANSLATES)) {
        rig().device().requireRefused(address, "it was unmapped");
      }
    }
  }

  /** E3g. */
  @Test
  default void e3gWhatTheDeviceLeavesUnwrittenOfWhatIsCopiedTogetherSurvives() {
    needs(Behavior.COPIES_TOGETHER);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    Ranges source = crookedRanges(block);
    byte[] all = Bytes.of(block, 0, block.length());
    byte[] expected = has(Behavior.SHOWS_WRITERS_ZEROS) ? new byte[(int) source.bytes()] : contents(block, source);
    byte[] written = Bytes.random(600, 6);
    System.arraycopy(written, 0, expected, 2700, written.length);
    try (LinearMapping linear = rig().mapper().newLinear()) {
      long address = linear.map(source, DmaDirection.FROM_DEVICE, 0, LinearPolicy.MAY_BOUNCE);
      rig().device().write(address + 2700, written);
      linear.unmap();
    }
    assertThat(contents(block, source)).as("the ranges, of which the device wrote a part").isEqualTo(expected);
    int at = 0;
    for (Ranges.Range range : source.list()) {
      System.arraycopy(expected, at, all, (int) (range.phys() - block.phys(0)), (int) range.length());
      at += (int) range.length();
    }
    assertThat(Bytes.of(block, 0, block.length())).as("the block, its neighbours included").isEqualTo(all);
  }

  /** Returns ranges out of order, with gaps between them, as crooked as the stack allows. */
  private Ranges crookedRanges(MemoryBlock block) {
    return new Ranges()
        .add(block.phys(crooked()), rounded(3001))
        .add(block.phys(rounded(spaced(20_000))), rounded(77))
        .add(block.phys(rounded(spaced(9000))), rounded(4097));
  }

  private static byte[] contents(MemoryBlock block, Ranges source) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    source.list().forEach(range -> bytes.writeBytes(Bytes.of(block, range.phys() - block.phys(0), range.length())));
    return bytes.toByteArray();
  }

  private static void put(MemoryBlock block, Ranges source, int offset, byte[] given) {
    int first = 0;
    for (Ranges.Range range : source.list()) {
      int from = Math.max(offset, first);
      int to = (int) Math.min(offset + given.length, first + range.length());
      if (from < to) {
        Bytes.put(block, range.phys() - block.phys(0) + from - first, Arrays.copyOfRange(given, from - offset, to - offset));
      }
      first += (int) range.length();
    }
  }
}
