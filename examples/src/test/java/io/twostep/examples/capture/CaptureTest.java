package io.twostep.examples.capture;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On the machine that runs the tests: every page is found, whether or not its address may be seen. */
class CaptureTest {
  @TempDir Path work;

  @Test
  void everyPageOfAFileIsFoundInMemory() throws Exception {
    Path file = Files.write(work.resolve("file"), new byte[10_000]);

    Captured found = Capture.file(file);

    assertThat(found.present()).isEqualTo((10_000 + Capture.pageSize() - 1) / Capture.pageSize());
    assertThat(found.swapped() + found.absent()).isZero();
    assertThat(found.bytes()).isEqualTo(found.isHidden() ? 0 : 10_000);
  }

  @Test
  void everyPageOfNewMemoryIsFoundInMemory() throws Exception {
    Captured found = Capture.allocated(1 << 20);

    assertThat(found.present()).isEqualTo((1 << 20) / Capture.pageSize());
    assertThat(found.bytes()).isEqualTo(found.isHidden() ? 0 : 1 << 20);
  }

  @Test
  void theBuffersOfAProcessAreFoundAndNoMoreThanAskedFor() throws Exception {
    Captured found = Capture.process(ProcessHandle.current().pid(), "", 4 << 20, 100_000);

    assertThat(found.present()).isPositive();
    assertThat(found.bytes()).isLessThanOrEqualTo(4 << 20);
  }

  @Test
  void whatIsMappedUnderANameIsFoundByIt() throws Exception {
    Captured found = Capture.process(ProcessHandle.current().pid(), "libjvm.so", 1 << 30, 100_000);

    assertThat(found.present()).isPositive();
  }
}
