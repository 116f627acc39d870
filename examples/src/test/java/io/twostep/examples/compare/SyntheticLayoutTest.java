package io.twostep.examples.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SyntheticLayoutTest {
  private static final long SEED = Long.getLong("twostep.seed", 20261121L);

  @Test
  void scatteredRangesAreAlignedAndNeverAdjacent() {
    Layout layout = SyntheticLayout.of("scattered:4096x500+scattered:2Mx20", SEED);

    assertThat(layout.ranges()).isEqualTo(520);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < 520; i++) {
      assertThat(layout.phys(i) % layout.length(i)).isZero();
      order.add(i);
    }
    order.sort((a, b) -> Long.compare(layout.phys(a), layout.phys(b)));
    for (int i = 1; i < 520; i++) {
      int before = order.get(i - 1);
      assertThat(layout.phys(order.get(i))).as("seed %d", SEED).isGreaterThan(layout.phys(before) + layout.length(before));
    }
  }

  @Test
  void contiguousRangesFollowEachOther() {
    Layout layout = SyntheticLayout.of("contiguous:12Kx3", SEED);

    assertThat(layout.phys(1)).isEqualTo(layout.phys(0) + 12_288);
    assertThat(layout.phys(2)).isEqualTo(layout.phys(1) + 12_288);
  }

  @Test
  void unalignedRangesBeginInsideAPage() {
    Layout layout = SyntheticLayout.of("unaligned:10000x50", SEED);

    for (int i = 0; i < 50; i++) {
      assertThat(layout.phys(i) % 4096).isNotZero();
      assertThat(layout.length(i)).isEqualTo(10_000);
    }
  }

  @Test
  void mixedIsHalfHugeAndHalfSmall() {
    Layout layout = SyntheticLayout.of("mixed:16M", SEED);

    long huge = 0;
    for (int i = 0; i < layout.ranges(); i++) {
      huge += layout.length(i) == 2 << 20 ? 1 : 0;
    }
    assertThat(huge).isEqualTo(4);
    assertThat(layout.ranges()).isEqualTo(4 + 2048);
    assertThat(layout.bytes()).isEqualTo(16 << 20);
  }

  @Test
  void theSameSeedGivesTheSameLayoutAndAnotherSeedAnother() {
    Layout one = SyntheticLayout.of("scattered:4Kx8", 5);

    assertThat(one.phys(7)).isEqualTo(SyntheticLayout.of("scattered:4Kx8", 5).phys(7));
    assertThat(one.phys(7)).isNotEqualTo(SyntheticLayout.of("scattered:4Kx8", 6).phys(7));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "scatered:4K | there is no kind 'scatered'; did you mean 'scattered'?",
        "contiguous | '' is no size such as 4096, 128K or 2M",
        "scattered:4Kx | '' is no count",
        "scattered:4Kx0 | the count 0 must be from 1 to 262144",
        "scattered:0x5 | the size 0 must be from 1 to 1073741824 bytes",
        "scattered:4K+ | in '' there is no kind ''",
        "contiguous:1G+contiguous:1 | in 'contiguous:1' the ranges together exceed 1073741824 bytes",
        "scattered:1x262144+scattered:1 | there are more than 262144 ranges",
      })
  void refusesASpecificationByPartAndRule(String spec, String message) {
    assertThatThrownBy(() -> SyntheticLayout.of(spec, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("--synthetic " + spec)
        .hasMessageContaining(message);
  }
}
