package io.twostep.examples.copy;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the guide to drivers shows works. */
class CopyABlockTest {
  @ParameterizedTest
  @CsvSource({"direct, none", "iommu, translated"})
  void aScatteredBlockIsCopied(String backend, String translation) {
    assertThat(CopyABlock.copy(backend, translation)).isTrue();
  }
}
