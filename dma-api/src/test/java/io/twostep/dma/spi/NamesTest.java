package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0", "4096, 4096", "4K, 4096", "4k, 4096", "4KiB, 4096", "4 KiB, 4096", "4KB, 4096", "512B, 512", "64MiB, 67108864",
    "1G, 1073741824", "2TiB, 2199023255552", "8388607T, 9223370937343148032", "' 7 ', 7"
  })
  void parsesSizes(String text, long bytes) {
    assertThat(Names.parseBytes(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "K", "-1", "4Q", "4KK", "0x10", "1.5G", "4 4", "8388608T", "9223372036854775808", "iB"})
  void refusesWhatIsNotASize(String text) {
    assertThatThrownBy(() -> Names.parseBytes(text)).isInstanceOf(NumberFormatException.class);
  }

  @Test
  void suggestsTheNearestName() {
    assertThat(Names.suggest("swiotbl", List.of("iommu", "swiotlb", "p2p"))).isEqualTo("; did you mean 'swiotlb'?");
    assertThat(Names.suggest("iomu", List.of("swiotlb", "iommu"))).isEqualTo("; did you mean 'iommu'?");
  }

  @Test
  void listsTheNamesWhenNoneIsNear() {
    assertThat(Names.suggest("quantum", List.of("swiotlb", "iommu"))).isEqualTo("; there is: iommu, swiotlb");
    assertThat(Names.suggest("x", List.of())).isEqualTo("; there are none");
  }
}
