package io.twostep.backend.direct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.OffsetWindow;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class OffsetWindowsTest {
  private static final int ROUNDS = 40;
  private static final int PROBES = 250;

  /** Builds windows over disjoint slices of both address spaces, and asks an oracle that looks at every byte's ends. */
  @Test
  void everyRangeOfOneWindowGoesThereAndBackAndEveryOtherRangeIsRefused() {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int round = 0; round < ROUNDS; round++) {
      List<OffsetWindow> list = randomWindows(random);
      OffsetWindows windows = new OffsetWindows("space", list);
      for (int probe = 0; probe < PROBES; probe++) {
        OffsetWindow near = list.get(random.nextInt(list.size()));
        long phys = near.firstPhys() + random.nextLong(-64, near.length() + 64);
        long length = 1 + random.nextInt(128);
        OffsetWindow expected = null;
        for (OffsetWindow window : list) {
          if (window.holdsPhys(phys, 1) && window.holdsPhys(phys + length - 1, 1)) {
            expected = window;
          }
        }
        long dmaAddress = windows.dmaAddress(phys, length);
        String what = "seed %d: 0x%x+0x%x in %s".formatted(seed, phys, length, list);
        if (expected == null) {
          assertThat(dmaAddress).as(what).isEqualTo(OffsetWindows.NONE);
        } else {
          assertThat(dmaAddress).as(what).isEqualTo(expected.firstDmaAddress() + (phys - expected.firstPhys()));
          assertThat(windows.phys(dmaAddress, length)).as(what).isEqualTo(phys);
          assertThat(windows.phys(dmaAddress, expected.length() + 1)).as(what).isEqualTo(OffsetWindows.NONE);
        }
      }
    }
  }

  private static List<OffsetWindow> randomWindows(Random random) {
    int count = 1 + random.nextInt(5);
    List<Integer> dmaOrder = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      dmaOrder.add(i);
    }
    Collections.shuffle(dmaOrder, random);
    List<OffsetWindow> windows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      // Slices of 0x1000 side by side, so that neighbours may touch; the top ones reach the end of the address space.
      long physSlice = -0x1000L * (count - i);
      long dmaSlice = random.nextBoolean() ? 0x1000L * dmaOrder.get(i) : -0x1000L * (count - dmaOrder.get(i));
      windows.add(new OffsetWindow(physSlice, dmaSlice, random.nextBoolean() ? 0x1000 : 1 + random.nextInt(0x1000)));
    }
    Collections.shuffle(windows, random);
    return windows;
  }

  @Test
  void noWindowsMeansIdentity() {
    OffsetWindows windows = new OffsetWindows("space", List.of());

    assertThat(windows.isIdentity()).isTrue();
    assertThat(windows.dmaAddress(0x123, 7)).isEqualTo(0x123);
    assertThat(windows.phys(0x123, 7)).isEqualTo(0x123);
  }

  @Test
  void windowsThatOverlapOnEitherSideAreRefused() {
    OffsetWindow first = new OffsetWindow(0x1000, 0x8000, 0x1000);
    assertThatThrownBy(() -> new OffsetWindows("space", List.of(first, new OffsetWindow(0x1fff, 0x20000, 0x1000))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0x1fff");
    assertThatThrownBy(() -> new OffsetWindows("space", List.of(first, new OffsetWindow(0x20000, 0x8fff, 0x1000))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0x8fff");
  }

  @Test
  void windowsThatWrapAreRefused() {
    assertThatThrownBy(() -> new OffsetWindows("space", List.of(new OffsetWindow(0, -0x1000L, 0x1001))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("wraps");
  }
}
