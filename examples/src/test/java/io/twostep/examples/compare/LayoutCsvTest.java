package io.twostep.examples.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LayoutCsvTest {
  @TempDir Path work;

  private Path file(String text) throws Exception {
    return Files.writeString(work.resolve("layout.csv"), text);
  }

  @Test
  void readsNumbersOfBothBasesAndLeavesCommentsOut() throws Exception {
    Layout layout = LayoutCsv.read(file("# written by hand\nphys, length\n\n0x12345000,4096\r\n4096,0x10\n# the end\n0xfffffffffffff000,0x1000"));

    assertThat(layout.ranges()).isEqualTo(3);
    assertThat(layout.bytes()).isEqualTo(8208);
    assertThat(layout.phys(0)).isEqualTo(0x12345000);
    assertThat(layout.length(0)).isEqualTo(4096);
    assertThat(layout.phys(1)).isEqualTo(4096);
    assertThat(layout.length(1)).isEqualTo(16);
    assertThat(layout.phys(2)).isEqualTo(-4096);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "4096,4096 | line 1: '4096,4096' comes before the header; the first line must be phys,length",
        "phys,length;4096 | line 2: '4096' has 1 fields; it must have two: phys,length",
        "phys,length;1,2,3 | line 2: '1,2,3' has 3 fields; it must have two: phys,length",
        "phys,length;#;12q,4096 | line 3: phys is '12q'; it must be a decimal number, or a hexadecimal one that begins with 0x",
        "phys,length;0x1000,-4 | line 2: length is '-4'; it must be a decimal number",
        "phys,length;0x1000,4096;0x2000,0 | line 3: length 0 must be from 1 to 1073741824 bytes",
        "phys,length;0xfffffffffffff000,0x1001 | line 2: 0xfffffffffffff000+0x1001 goes beyond the last address",
        "phys,length;0,0x8000000000000000 | line 2: length 9223372036854775808 must be from 1 to 1073741824 bytes",
        "phys,length;0,0x40000000;0,1 | line 3: the ranges together exceed 1073741824 bytes; take a part of them",
        "phys,length;# nothing | holds no range",
      })
  void refusesWhatIsWrongByLineAndRule(String text, String message) throws Exception {
    Path file = file(text.replace(';', '\n'));

    assertThatThrownBy(() -> LayoutCsv.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(file.toString())
        .hasMessageContaining(message);
  }

  @Test
  void refusesWhatIsNoText() throws Exception {
    Path file = Files.write(work.resolve("layout.bin"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});

    assertThatThrownBy(() -> LayoutCsv.read(file)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("line 1: is no text in UTF-8");
  }

  /** Readers decode ahead of the line that they return. */
  @Test
  void namesTheLineThatIsNoText() throws Exception {
    String before = "phys,length\r\n" + "0x1000,4096\r0x2000,4096\n".repeat(100);
    Path file = Files.write(work.resolve("layout.csv"), (before + "# f\u00fcr \u65e5\n# f\u00fcr\n").getBytes(StandardCharsets.ISO_8859_1));

    assertThatThrownBy(() -> LayoutCsv.read(file)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("line 202: is no text in UTF-8");
    assertThat(LayoutCsv.read(file(before + "# f\u00fcr \u65e5\n")).ranges()).isEqualTo(200);
  }

  /** Spreadsheets write one. */
  @Test
  void leavesAByteOrderMarkOut() throws Exception {
    assertThat(LayoutCsv.read(file("\ufeffphys,length\r\n0x1000,4096\r\n")).bytes()).isEqualTo(4096);
    assertThat(LayoutCsv.read(file("\ufeff# a comment\nphys,length\n0x1000,4096\n")).bytes()).isEqualTo(4096);
  }
}
