package io.twostep.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How many ranges a source gives at a time decides how they are read, but not what is read: one at a time, nothing is taken as it is. */
class RangeReaderTest {
  private static final int LISTS = 4000;

  private final Rig rig = new Rig(Rig.Kind.TRANSLATING);
  private final FakeBlock contiguous = rig.allocate(256 * 4096, MemoryPlacement.CONTIGUOUS);
  private final FakeBlock scattered = rig.allocate(64 * 4096, MemoryPlacement.SCATTERED);

  private record Run(List<Long> phys, List<Long> length, List<Integer> kind, long bytes, long innerEdges, boolean isStretch) {}

  @Test
  void readsTheSameHoweverManyRangesComeAtATime() throws InterruptedException {
    Seeds.run(
        20_261_130,
        random -> {
          Ranges ranges = new Ranges();
          RangeReader atOnce = new RangeReader();
          for (int i = 0; i < LISTS; i++) {
            choose(ranges, random);
            ranges.atOnce = 1;
            Run expected = read(new RangeReader(), ranges, false);
            ranges.atOnce = random.nextInt(4) == 0 ? 1 + random.nextInt(40) : Integer.MAX_VALUE;
            assertThat(read(atOnce, ranges, random.nextBoolean())).isEqualTo(expected);
            assertThat(ranges.passes).as("each read it once").isEqualTo(2);
          }
        });
  }

  @Test
  @Tag("breaks:not-memory")
  void refusesARangeSoFarBehindTheOthersThatItsEndLiesBeforeThem() {
    Ranges ranges = new Ranges();
    for (int i = 0; i < 20; i += 2) {
      ranges.add(contiguous.phys(i * 4096L), 4096);
    }
    ranges.add(contiguous.phys(0) + Long.MAX_VALUE - 4095, 2 * contiguous.length());
    for (int atOnce : new int[] {1, Integer.MAX_VALUE}) {
      ranges.atOnce = atOnce;
      assertThatThrownBy(() -> read(new RangeReader(), ranges, false))
          .as("%d at a time", atOnce)
          .isInstanceOf(DmaMappingException.class)
          .hasMessageContaining("NOT_BACKED");
    }
  }

  private void choose(Ranges ranges, Random random) {
    ranges.clear();
    int count = random.nextInt(4) == 0 ? random.nextInt(3) : random.nextInt(60);
    boolean pages = random.nextBoolean();
    long previousEnd = 0;
    for (int i = 0; i < count; i++) {
      FakeBlock block = random.nextInt(40) == 0 ? scattered : contiguous;
      long offset = random.nextInt(60) * 4096L + (pages || random.nextInt(4) > 0 ? 0 : random.nextInt(4096));
      long length = pages || random.nextInt(4) > 0 ? 4096 : 1 + random.nextInt(4096);
      long phys = random.nextInt(30) == 0 && previousEnd != 0 ? previousEnd : block.phys(offset);
      if (block == scattered) {
        length = 4096 - (offset & 4095);
      }
      ranges.add(phys, length);
      previousEnd = block == contiguous && phys + length + 4096 <= contiguous.phys(0) + contiguous.length() ? phys + length : 0;
    }
  }

  private Run read(RangeReader reader, Ranges ranges, boolean perhapsOnly) {
    List<Long> phys = new ArrayList<>();
    List<Long> length = new ArrayList<>();
    List<Integer> kind = new ArrayList<>();
    RegionPins pins = new RegionPins();
    AttachedStack stack = rig.mapper.currentStack();
    reader.start(ranges, pins);
    long bytes = 0;
    long edges = 0;
    boolean stretch = false;
    boolean only = perhapsOnly && reader.takeOnly(stack);
    assertThat(only).isEqualTo(perhapsOnly && ranges.list.size() == 1);
    for (int count = only ? 1 : reader.next(stack); count > 0; count = reader.next(stack)) {
      assertThat(phys).as("all fits one run").isEmpty();
      Arrays.stream(reader.phys, 0, count).forEach(phys::add);
      Arrays.stream(reader.length, 0, count).forEach(length::add);
      Arrays.stream(reader.kind, 0, count).forEach(kind::add);
      bytes = reader.bytes();
      edges = reader.innerEdges();
      stretch = reader.isStretch(4095);
    }
    reader.finish();
    pins.releaseAll();
    return new Run(phys, length, kind, bytes, edges, stretch);
  }
}
