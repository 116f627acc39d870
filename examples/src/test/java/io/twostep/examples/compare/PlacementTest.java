package io.twostep.examples.compare;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private static final long SEED = Long.getLong("twostep.seed", new Random().nextLong());

  /** Random ranges close together, so that they touch, overlap and share pages often. */
  @Test
  void keepsOrderDistanceAndAlignmentOfWhatTouchesAndPartsTheRest() {
    for (int round = 0; round < 30; round++) {
      Random random = new Random(SEED + round);
      Layout.Builder builder = new Layout.Builder("test");
      for (int i = 0; i < 60; i++) {
        long length = 1 + random.nextInt(1 << random.nextInt(23));
        builder.add((1L << 45) + ((long) random.nextInt(1 << 16) << (random.nextBoolean() ? 12 : 4)), length);
      }
      try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
          Placement placed = Placement.ofRandomBytes(builder.build(), machine.memory(), SEED)) {
        compareAll(placed, "seed " + (SEED + round));
      }
    }
  }

  private static void compareAll(Placement placed, String seed) {
    Layout layout = placed.layout;
    for (int i = 0; i < layout.ranges(); i++) {
      long alignment = Math.max(4096, Long.highestOneBit(layout.length(i)));
      assertThat((placed.phys[i] ^ layout.phys(i)) & alignment - 1).as("%s, range %d keeps its alignment", seed, i).isZero();
      for (int j = 0; j < layout.ranges(); j++) {
        long was = layout.phys(j) - layout.phys(i);
        long is = placed.phys[j] - placed.phys[i];
        assertThat(Long.signum(is)).as("%s, order of %d and %d", seed, i, j).isEqualTo(Long.signum(was));
        if (was >= 0 && was <= layout.length(i)) {
          assertThat(is).as("%s, %d touches %d", seed, j, i).isEqualTo(was);
        }
        if (isApart(layout.phys(i), layout.length(i), layout.phys(j))) {
          assertThat(isApart(placed.phys[i], layout.length(i), placed.phys[j])).as("%s, %d is apart from %d", seed, j, i).isTrue();
        }
      }
    }
  }

  /** The frame before the first one is not the last one. */
  @Test
  void keepsTogetherWhatSharesTheFirstFrameOfAll() {
    Layout layout = new Layout.Builder("test").add(100, 100).add(0, 100).add(0x1000, 4096).add(-4096, 4096).build();
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
        Placement placed = Placement.ofRandomBytes(layout, machine.memory(), SEED)) {
      assertThat(placed.phys[0] - placed.phys[1]).isEqualTo(100);
      assertThat(placed.phys[2] - placed.phys[1]).isEqualTo(4096);
      assertThat(placed.phys[3] - placed.phys[2]).isGreaterThan(4096);
    }
  }

  /** Tell whether there is a frame between a range and one behind it. */
  private static boolean isApart(long phys, long length, long behind) {
    return (behind >> 12) > (phys + length - 1 >> 12) + 1;
  }

  @Test
  void knowsItsBytes() {
    Layout layout = new Layout.Builder("test").add(0x1000, 100).add(0x9000, 5000).build();
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
        Placement placed = Placement.ofRandomBytes(layout, machine.memory(), SEED)) {
      byte[] bytes = new byte[150];
      for (int i = 0; i < 150; i++) {
        long phys = i < 50 ? placed.phys[0] + 50 + i : placed.phys[1] + i - 50;
        bytes[i] = machine.memory().segment(phys, 1).get(java.lang.foreign.ValueLayout.JAVA_BYTE, 0);
      }
      assertThat(placed.holds(50, bytes)).isTrue();
      bytes[149]++;
      assertThat(placed.holds(50, bytes)).isFalse();
    }
  }
}
