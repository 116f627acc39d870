package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.fake.Rig;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Elements of pools against what was taken, from both sides. */
class DmaPoolTest {
  private static final long SEED = 20261121;
  private static final long PAGE = 4096;
  private static final int STEPS = 300;

  private record Taken(DmaPool.Element element, byte first, byte last) {}

  @ParameterizedTest
  @EnumSource(names = {"DIRECT", "TRANSLATING", "HOST"})
  void elementsAreApartAlignedInOnePageAndTheSameBytesForBothSides(Rig.Kind kind) throws InterruptedException {
    Seeds.run(
        SEED,
        random -> {
          for (long size : new long[] {1, 16, 100, 2049, PAGE, PAGE + 1, 3 * PAGE}) {
            long alignment = 1L << random.nextInt(14);
            Rig rig = new Rig(kind);
            String before = rig.accounts();
            try (DmaPool pool = rig.mapper.newPool(size, alignment)) {
              history(rig, pool, size, alignment, random);
            }
            assertThat(rig.accounts()).isEqualTo(before);
          }
        });
  }

  private static void history(Rig rig, DmaPool pool, long size, long alignment, Random random) {
    List<Taken> taken = new ArrayList<>();
    for (int step = 0; step < STEPS; step++) {
      if (taken.size() < 40 && random.nextInt(5) > 1) {
        taken.add(take(rig, pool, size, alignment, taken, random));
      } else if (!taken.isEmpty()) {
        Taken one = taken.remove(random.nextInt(taken.size()));
        check(rig, one, size);
        one.element.free();
      }
      assertThat(pool.taken()).isEqualTo(taken.size());
    }
    for (Taken one : taken) {
      check(rig, one, size);
      one.element.free();
    }
  }

  private static Taken take(Rig rig, DmaPool pool, long size, long alignment, List<Taken> taken, Random random) {
    DmaPool.Element element = pool.allocate();
    long address = element.dmaAddress();
    assertThat(element.segment().byteSize()).isEqualTo(size);
    assertThat(address & (alignment - 1)).as("0x%x aligned to %d", address, alignment).isZero();
    if (size <= PAGE) {
      assertThat((address & (PAGE - 1)) + size).as("end in its page of 0x%x", address).isLessThanOrEqualTo(PAGE);
    }
    for (Taken other : taken) {
      assertThat(Math.abs(other.element.dmaAddress() - address)).as("from 0x%x to its neighbour", address).isGreaterThanOrEqualTo(size);
    }
    Taken one = new Taken(element, (byte) random.nextInt(), (byte) random.nextInt());
    // One end is written by the device and the other by the CPU, and each reads the other's.
    element.segment().set(ValueLayout.JAVA_BYTE, size - 1, one.last);
    if (size > 1) {
      rig.deviceWrite(address, one.first);
    }
    return one;
  }

  private static void check(Rig rig, Taken one, long size) {
    assertThat(rig.deviceRead(one.element.dmaAddress() + size - 1)).isEqualTo(one.last);
    if (size > 1) {
      assertThat(one.element.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo(one.first);
    }
  }

  @Test
  @Tag("breaks:torn-down-twice")
  void anElementFreedTwiceIsRefusedAndGoesToOneTakerOnly() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    try (DmaPool pool = rig.mapper.newPool(64, 64)) {
      DmaPool.Element element = pool.allocate();
      element.free();
      assertThatThrownBy(element::free)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("nvme0")
          .hasMessageContaining("0x" + Long.toHexString(element.dmaAddress()));
      DmaPool.Element first = pool.allocate();
      DmaPool.Element second = pool.allocate();
      assertThat(first.dmaAddress()).isNotEqualTo(second.dmaAddress());
      first.free();
      second.free();
    }
  }

  @Test
  @Tag("breaks:used-after-close")
  void aPoolWithTakenElementsRefusesToCloseAndStaysUsable() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    String before = rig.accounts();
    DmaPool pool = rig.mapper.newPool(64, 64);
    DmaPool.Element element = pool.allocate();
    assertThatThrownBy(pool::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("nvme0: 1 elements");
    rig.deviceWrite(element.dmaAddress(), (byte) 42);
    assertThat(element.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
    pool.allocate().free();
    element.free();
    pool.close();
    pool.close();
    assertThat(rig.accounts()).isEqualTo(before);
    assertThatThrownBy(pool::allocate).isInstanceOf(IllegalStateException.class).hasMessageContaining("nvme0");
  }
}
