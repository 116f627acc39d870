package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs and people read the same numbers whatever the locale: those of the tables, with digits of ASCII. */
class NumbersOfAnyLocaleTest {
  private static final List<String> GERMAN = List.of("-Duser.language=de", "-Duser.country=DE");
  private static final List<String> ARABIC = List.of("-Duser.language=ar", "-Duser.country=EG");

  @TempDir Path work;

  @Test
  void commandsAndSmallMainsPrintThemAlike() throws Exception {
    for (List<String> locale : List.of(GERMAN, ARABIC)) {
      assertThat(output(locale, 0, "compare", "--synthetic", "contiguous:8K", "--rounds", "1")).contains("contiguous:8K, seed 1: 8,192 bytes in 1 ranges, requests of 8,192 bytes");
      assertThat(output(locale, 0, "example", "rpc-over-rdma")).contains(" 262,144 bytes", "work requests: 1");
    }
  }

  /** Messages are made in every module. */
  @Test
  void refusalsDoToo() throws Exception {
    Path text = Files.write(work.resolve("text"), new byte[(1 << 20) + 1]);
    for (List<String> locale : List.of(GERMAN, ARABIC)) {
      assertThat(output(locale, 2, "example", "rpc-over-rdma", text.toString())).contains("has 1,048,577 bytes; texts of 1 byte to 1 MiB");
    }
  }

  private static String output(List<String> locale, int status, String... arguments) throws Exception {
    Process process = ChildProcess.twostep(locale, arguments).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isEqualTo(status);
    return output;
  }
}
