package io.twostep.machine.linux.slot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.OffsetWindow;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Where registered memory goes. */
class RegistrationTest {
  private static final long MB = 1 << 20;
  private static final List<AddressRange> WINDOWS =
      List.of(new AddressRange(0, 0xfedfffffL, "low"), new AddressRange(0xfef00000L, (1L << 39) - 1, "high"));

  @Test
  void smallMemoryIsOnePieceThatKeepsTheLowBits() {
    assertThat(Registration.plan("s", 0x7f0000345000L, 8 * MB, WINDOWS, List.of(), 2 * MB))
        .containsExactly(new OffsetWindow(0x7f0000345000L, 0x145000, 8 * MB));
  }

  @Test
  void memoryLargerThanTheFirstWindowGoesOnBehindTheHole() {
    List<OffsetWindow> plan = Registration.plan("s", 0x7f0000000000L, 8L << 30, WINDOWS, List.of(new AddressRange(0x80000000L, 0x8fffffffL, "BAR")), 2 * MB);
    assertThat(plan).hasSize(3);
    assertThat(plan.stream().mapToLong(OffsetWindow::length).sum()).isEqualTo(8L << 30);
  }

  @Test
  void memoryThatDoesNotFitIsRefused() {
    assertThatThrownBy(() -> Registration.plan("group 1", 0x7f0000000000L, 1L << 39, WINDOWS, List.of(), 2 * MB))
        .isInstanceOf(DmaMappingException.class)
        .hasMessageContaining("group 1")
        .hasMessageContaining("do not fit");
  }

  @Test
  void lessThanAPageAtTheEndOfAWindowHoldsNothing() {
    List<AddressRange> windows = List.of(new AddressRange(0, 0x2007ff, "low"), new AddressRange(0x40000000L, 0x7fffffffL, "high"));
    assertThat(Registration.plan("s", 0x7f0000000000L, 8 * MB, windows, List.of(), 2 * MB))
        .containsExactly(new OffsetWindow(0x7f0000000000L, 0x40000000L, 8 * MB));
  }

  @Test
  void plansCoverAllMemoryOnceInAllowedAddressesAndKeepTheLowBits() {
    long seed = Long.getLong("twostep.seed", new Random().nextLong());
    Random random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      List<AddressRange> reserved = new ArrayList<>();
      for (int j = random.nextInt(5); j > 0; j--) {
        long first = (random.nextLong() & 0x1_ffff_ffffL) & -4096L;
        reserved.add(new AddressRange(first, first + (1L + random.nextInt(1 << 14)) * 4096 - 1, "r" + j));
      }
      long phys = (random.nextLong() & 0x7fff_ffff_ffffL) & -4096L;
      long length = (1 + (random.nextLong() & 0x7ffff)) * 4096;
      long alignment = random.nextBoolean() ? 2 * MB : 1L << 30;
      long at = phys;
      for (OffsetWindow piece : Registration.plan("seed " + seed, phys, length, WINDOWS, reserved, alignment)) {
        long first = piece.firstDmaAddress();
        long last = first + piece.length() - 1;
        assertThat(piece.firstPhys()).as("seed %d", seed).isEqualTo(at);
        assertThat((first ^ piece.firstPhys()) & (alignment - 1)).as("seed %d", seed).isZero();
        assertThat(first).isGreaterThanOrEqualTo(MB);
        assertThat(WINDOWS).as("seed %d", seed).anyMatch(w -> w.first() <= first && last <= w.last());
        assertThat(reserved).as("seed %d", seed).noneMatch(r -> r.overlaps(first, last));
        at += piece.length();
      }
      assertThat(at).as("seed %d", seed).isEqualTo(phys + length);
    }
  }
}
