package io.twostep.examples.capture;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.capture.ProcessMaps.Mapping;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessMapsTest {
  @TempDir Path work;

  @Test
  void aNameThatIsNoTextHidesNothingElse() throws Exception {
    String maps =
        """
        7f0000000000-7f0000002000 rw-p 00000000 fe:00 12 /tmp/\u00fc
        7f0000002000-7f0000003000 rw-p 00000000 00:00 0\s
        """;
    Path file = Files.write(work.resolve("maps"), maps.getBytes(StandardCharsets.ISO_8859_1));
    assertThat(ProcessMaps.read(file))
        .containsExactly(new Mapping(0x7f0000000000L, 0x7f0000002000L, true, "/tmp/\ufffd"), new Mapping(0x7f0000002000L, 0x7f0000003000L, true, ""));
  }

  @Test
  void aProcessMayHaveNoMemory() throws Exception {
    assertThat(ProcessMaps.read(Files.createFile(work.resolve("maps")))).isEmpty();
  }
}
