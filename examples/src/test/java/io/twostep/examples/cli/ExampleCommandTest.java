package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code twostep example}: the small mains run by name, each in one line. */
class ExampleCommandTest {
  @TempDir Path work;

  private String file(int size) throws IOException {
    byte[] bytes = new byte[size];
    Arrays.fill(bytes, (byte) 'a');
    return Files.write(work.resolve("file" + size), bytes).toString();
  }

  /** Run with the standard output caught, which is where mains print. */
  private static Run example(String... arguments) {
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      Run run = Run.of(arguments);
      return new Run(run.status(), run.out() + printed.toString(StandardCharsets.UTF_8), run.err());
    } finally {
      System.setOut(before);
    }
  }

  @Test
  void withoutNameEveryMainIsListedWithItsIdea() {
    Run run = example("example");
    assertThat(run.status()).isZero();
    assertThat(run.out().lines()).hasSize(SmallMain.ALL.size());
    for (SmallMain each : SmallMain.ALL) {
      assertThat(run.out()).contains(each.name(), each.idea());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "map-a-buffer, the device sees: hello",
    "map-a-buffer-with-guice, the device sees: hello",
    "copy-a-block, iommu: true",
    "rpc-over-rdma, work requests: 1"
  })
  void mainThatNeedsNoArgumentShowsItsIdea(String name, String shown) {
    Run run = example("example", name);
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).contains(shown);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5000, 300_001})
  void fileTravelsToAnotherHostAndBack(int size) throws IOException {
    Run rpc = example("example", "rpc-over-rdma", file(size));
    assertThat(rpc.status()).as(rpc.err()).isZero();
    assertThat(rpc.out()).contains("READ");
    Run nvme = example("example", "nvme-over-rdma", file(size));
    assertThat(nvme.status()).as(nvme.err()).isZero();
    assertThat(nvme.out()).containsPattern("switch +BUS_ADDRESS +yes").containsPattern("apart +NOT_SUPPORTED +yes");
  }

  @Test
  void badInputIsOneLineAndStatusTwo() throws IOException {
    assertRefused("did you mean 'rpc-over-rdma'", "example", "rpc-over-rdm");
    assertRefused("there is no such file", "example", "nvme-over-rdma", work.resolve("nothing").toString());
    assertRefused("cannot be read", "example", "rpc-over-rdma", work.toString());
    assertRefused("one file", "example", "nvme-over-rdma");
    assertRefused("1 byte to 1 MiB", "example", "rpc-over-rdma", file(0));
    assertRefused("1 byte to 1 MiB", "example", "rpc-over-rdma", file((1 << 20) + 1));
    assertRefused("give one file, or none for some text", "example", "rpc-over-rdma", file(1), file(5000));
    assertRefused("takes no arguments", "example", "map-a-buffer", "more");
  }

  private static void assertRefused(String why, String... arguments) {
    Run run = example(arguments);
    assertThat(run.status()).as(run.out() + run.err()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err().lines()).singleElement().asString().contains(why);
  }
}
