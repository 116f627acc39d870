package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the words of real controllers allow (Base 5.1.13.2.1, SGLS: bits 1:0 support, bit 19 an SGL for metadata). */
class SglSupportTest {
  @ParameterizedTest
  @CsvSource({
    "0x00000000, false, false, false",
    "0x00080000, false, false, false",
    "0x00000003, false, false, false",
    "0x00000001, true, false, false",
    "0x000f0001, true, false, true",
    "0x00000002, true, true, false",
    "0x00080002, true, true, true"
  })
  void supportIsReadFromTheWord(String word, boolean data, boolean dwordAligned, boolean metadata) {
    assertThat(SglSupport.of(Integer.decode(word))).isEqualTo(new SglSupport(data, dwordAligned, metadata));
  }

  @Test
  void dwordsAreAskedForOnlyWhereTheControllerWantsThem() {
    SglSupport bytes = new SglSupport(true, false, false);
    SglSupport dwords = new SglSupport(true, true, false);
    assertThat(bytes.permits(3)).isTrue();
    assertThat(dwords.permits(4 | 8)).isTrue();
    assertThat(dwords.permits(4 | 1)).isFalse();
    assertThat(dwords.permits(2)).isFalse();
    assertThat(SglSupport.NONE.permits(0)).isFalse();
  }
}
